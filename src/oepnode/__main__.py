"""``python -m oepnode``: the same as the command ``oepnode``."""

from oepnode.cli.main import main

if __name__ == "__main__":
    main()
