"""Tables of the registry's database; the migrations make them.

Guarantees, held by the database itself and the same in SQLite and PostgreSQL: a site is an NMI or a
token; times lie on the grid of dispatch intervals; assignments of one site never overlap. For that
each assignment names the end of the one before it (``prev_end``): ends of a site are unique, each
is followed by at most one assignment, which starts no earlier, and one alone has none before it, so
the assignments of a site are one chain in order of time. The audit trail only grows (triggers).
Source: docs/services.md.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

from oepnode.domain.rounds.inputs.assignments import OPEN_END

NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
METADATA: Final = MetaData(naming_convention=NAMES)

SITE: Final = String(32).with_variant(String(32, collation="C"), "postgresql")
SITE_RULE_POSTGRESQL: Final = "site ~ '^([0-9A-HJ-NP-Z]{10}|[0-9a-f]{32})$'"
SITE_RULE_SQLITE: Final = (
    "(length(site) = 10 AND site NOT GLOB '*[^0-9A-HJ-NP-Z]*')"
    " OR (length(site) = 32 AND site NOT GLOB '*[^0-9a-f]*')"
)
_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")

CHANGES: Final = Table(
    "changes",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("made_at_us", BigInteger, nullable=False),
    Column("made_by", String(200), nullable=False),
    Column("action", String(200), nullable=False),
)
"""Who changed the registry, and when; a change's number is the registry's revision."""

AGGREGATORS: Final = Table(
    "aggregators",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("address", LargeBinary, nullable=True),
    Column("is_active", SmallInteger, nullable=False),
    CheckConstraint("is_active IN (0, 1)", name="is_active"),
)
Index(
    "uq_aggregators_active_public_key",
    AGGREGATORS.c.public_key,
    unique=True,
    sqlite_where=text("is_active = 1"),
    postgresql_where=text("is_active = 1"),
)

ASSIGNMENTS: Final = Table(
    "assignments",
    METADATA,
    Column("site", SITE, nullable=False),
    Column("aggregator", ForeignKey(AGGREGATORS.c.number), nullable=False),
    Column("start_s", BigInteger, nullable=False),
    Column("end_s", BigInteger, nullable=False),
    Column("prev_end", BigInteger, nullable=True),
    PrimaryKeyConstraint("site", "end_s"),  # the next assignment refers to it
    UniqueConstraint("site", "prev_end"),
    ForeignKeyConstraint(
        ["site", "prev_end"],
        ["assignments.site", "assignments.end_s"],
        deferrable=True,
        initially="DEFERRED",
    ),
    CheckConstraint("prev_end <= start_s", name="order"),
    CheckConstraint("start_s >= 0 AND start_s % 300 = 0", name="start"),
    CheckConstraint(f"end_s > start_s AND (end_s % 300 = 0 OR end_s = {OPEN_END})", name="end"),
    CheckConstraint(SITE_RULE_POSTGRESQL, name="site").ddl_if(dialect="postgresql"),
    CheckConstraint(SITE_RULE_SQLITE, name="site").ddl_if(dialect="sqlite"),
    sqlite_with_rowid=False,
)
Index(
    "uq_assignments_first",
    ASSIGNMENTS.c.site,
    unique=True,
    sqlite_where=text("prev_end IS NULL"),
    postgresql_where=text("prev_end IS NULL"),
)

ASSIGNMENT_TRAIL: Final = Table(
    "assignment_trail",
    METADATA,
    # Without foreign keys: a change of a million rows would check two million of them.
    Column("change", _NUMBER, nullable=False),
    Column("is_added", SmallInteger, nullable=False),
    Column("site", SITE, nullable=False, index=True),
    Column("aggregator", Integer, nullable=False),
    Column("start_s", BigInteger, nullable=False),
    Column("end_s", BigInteger, nullable=False),
)
"""Assignments that a change took away or made."""

AGGREGATOR_TRAIL: Final = Table(
    "aggregator_trail",
    METADATA,
    Column("change", ForeignKey(CHANGES.c.number), nullable=False),
    Column("id", String(64), nullable=False),
    Column("before", String, nullable=True),
    Column("after", String, nullable=True),
)
"""Aggregators before and after a change, as JSON."""

PUBLICATIONS: Final = Table(
    "publications",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("revision", BigInteger, nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("salt_digest", LargeBinary, nullable=False),
    Column("assignments", BigInteger, nullable=False),
    Column("published_at_us", BigInteger, nullable=False),
    Column("reason", String(40), nullable=False),
)
"""Snapshots that were published from this database."""
