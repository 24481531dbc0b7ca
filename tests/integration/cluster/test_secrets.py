"""Neither logs nor the names of tasks show an NMI, a salt or a key; TLS keeps strangers out."""

from __future__ import annotations

import io
import logging
import pickle
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from distributed import LocalCluster, Security

from oepnode.adapters.computing.dask_cluster import connected
from oepnode.adapters.computing.dask_work import Opaque
from oepnode.adapters.computing.messages import ClusterAddress
from oepnode.domain.documents.sources import BytesSource, Excerpt, read_all
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import pseudonyms
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs.json_document import JsonDocument
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.pipeline import Pipeline
from oepnode.domain.rounds.workshop import Stores
from oepnode.errors import ComputationFault
from tests.support.dask_clusters import address_of, dask_workshop
from tests.support.round_world import CONTEXT, ENVELOPE, INPUTS, RESULT, opened

NMI = b"6305000001"
KEY = pseudonyms.round_key(INPUTS.salt, CONTEXT)


class Indiscreet:
    """Fails with a message that quotes its input."""

    def __call__(self, part: bytes, _: Stores, /) -> None:
        raise KeyError(part.decode())


class OnePart:
    def __len__(self) -> int:
        return 1

    def here(self, number: int) -> bytes:
        return NMI

    def sent(self, number: int) -> bytes | None:
        return NMI


def secrets_in(text: str) -> list[str]:
    secrets = [NMI.decode(), INPUTS.salt.hex(), KEY.hex(), repr(INPUTS.salt)[2:-1], repr(KEY)[2:-1]]
    return [secret for secret in secrets if secret in text]


def test_no_log_and_no_name_of_a_task_has_a_secret(cluster: LocalCluster) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    log = logging.getLogger("distributed")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        with dask_workshop(address_of(cluster)) as workshop:
            horizon = Horizon(opened().horizon_start, opened().interval_count)
            snapshot = parse_snapshot(read_all(INPUTS.registry))
            reader = JsonDocument(BytesSource(ENVELOPE), Feed(), part_size=2000)
            pipeline = Pipeline(snapshot, INPUTS.salt, CONTEXT, horizon, workshop)
            assert pipeline.partition(reader).result.root == RESULT.root
            with pytest.raises(ComputationFault) as caught:
                list(workshop.spread(Indiscreet(), OnePart()))
            client = workshop._client
            tasks = client.run_on_scheduler(
                lambda dask_scheduler: [
                    (key, repr(task), repr(task.run_spec), repr(task.annotations))
                    for key, task in dask_scheduler.tasks.items()
                ]
            )
            stories = client.run_on_scheduler(
                lambda dask_scheduler: repr(list(dask_scheduler.transition_log))
            )
            logs = repr(client.get_worker_logs()) + repr(client.get_scheduler_logs())
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    assert tasks
    assert all(key.startswith("oepnode-") for key, *_ in tasks)
    assert "KeyError" in str(caught.value)
    for text in (repr(tasks), stories, logs, written.getvalue(), str(caught.value)):
        assert secrets_in(text) == []


def test_what_is_sent_shows_nothing_of_itself() -> None:
    sent = Opaque.of(Excerpt(10, 0, NMI))
    assert secrets_in(repr(sent) + str(sent)) == []
    again = pickle.loads(pickle.dumps(sent))
    assert again.value() == Excerpt(10, 0, NMI)
    assert secrets_in(repr(again.value())) == []


def test_a_cluster_with_tls_admits_its_own_and_nobody_else(tmp_path: Path) -> None:
    ca, cert, key = certificate(tmp_path, "ours")
    _, other_cert, other_key = certificate(tmp_path, "other")
    files = {
        f"tls_{role}_{kind}": str(path)
        for role in ("scheduler", "worker", "client")
        for kind, path in (("cert", cert), ("key", key))
    }
    security = Security(tls_ca_file=str(ca), require_encryption=True, **files)
    with LocalCluster(
        n_workers=1,
        processes=False,
        threads_per_worker=1,
        host="tls://127.0.0.1",
        protocol="tls",
        dashboard_address="127.0.0.1:0",
        security=security,
    ) as cluster:
        url = cluster.scheduler_address
        assert url.startswith("tls://")
        ours = ClusterAddress(url, str(ca), str(cert), str(key))
        with connected(ours) as client:
            assert len(client.nthreads()) == 1
        stranger = ClusterAddress(url, str(ca), str(other_cert), str(other_key))
        with pytest.raises(ComputationFault, match="certificate"), connected(stranger):
            pass


def certificate(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """A certificate that is its own authority: files of authority, certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, cert_file, key_file
