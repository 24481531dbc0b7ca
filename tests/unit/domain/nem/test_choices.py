"""Settings of a few words."""

from __future__ import annotations

from typing import Any

import pytest

from oepnode.domain.nem.choices import Level, require_choice
from oepnode.domain.nem.quantities import Feed
from oepnode.errors import ConfigError


def test_a_word_is_accepted_as_it_is_written_only() -> None:
    require_choice("level", "Flex", Level)
    for other in ("flex", "", None, 1, ["NMI"]):
        with pytest.raises(ConfigError, match="level must be NMI or Flex, received "):
            require_choice("level", other, Level)


@pytest.mark.parametrize("wrong", [{"profile": "x"}, {"import_sign": "negative"}])
def test_a_feed_has_no_other_words(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))} must be "):
        Feed(**wrong)
