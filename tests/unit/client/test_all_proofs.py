from __future__ import annotations

import json
from pathlib import Path

import pytest

from oepnode.client import RoundSelector, cut_all_site_proofs, cut_site_proof, verify_site_proof
from oepnode.domain.rounds import bundle_reading
from oepnode.domain.rounds.bundle import BundleError
from tests.support.plain_bundle import pack_file
from tests.support.round_world import CONTEXT, sealed, verified


@pytest.mark.parametrize("disclose", [False, True])
def test_every_line_is_the_proof_of_one_site(
    folder: Path, selector: RoundSelector, disclose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_reading, "_BLOCK_BYTES", 200)  # several blocks
    file, key, out = folder / "A1.oepb", folder / "A1.json", folder / "proofs.ndjson"
    proofs = cut_all_site_proofs(file, key, selector, out, disclose_key=disclose)
    lines = out.read_bytes().splitlines(keepends=True)
    assert (proofs.proofs, proofs.file) == (len(lines), str(out))
    assert {json.loads(line)["nmi"] for line in lines} == set(verified("A1").nmis)
    for line in lines:
        nmi = json.loads(line)["nmi"]
        alone = cut_site_proof(nmi, file, key, selector, disclose_key=disclose)
        assert json.loads(line) == json.loads(alone.data)
        (folder / "one.json").write_bytes(line)
        site = verify_site_proof(folder / "one.json", selector)
        assert (site.nmi, site.is_nmi_proven) == (nmi, disclose)
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_bundle_that_does_not_verify_gives_no_proofs(
    folder: Path, selector: RoundSelector
) -> None:
    bad, out = folder / "bad.oepb", folder / "proofs.ndjson"
    bad.write_bytes(pack_file(CONTEXT, sealed("A1")[:-1]))
    with pytest.raises(BundleError, match="check opening failed"):
        cut_all_site_proofs(bad, folder / "A1.json", selector, out)
    assert not out.exists()
