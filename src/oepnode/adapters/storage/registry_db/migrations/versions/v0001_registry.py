"""Aggregators, assignments, audit trail and publications."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SITE: Final = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")
_SITE_RULES: Final = {
    "postgresql": "site ~ '^([0-9A-HJ-NP-Z]{10}|[0-9a-f]{32})$'",
    "sqlite": (
        "(length(site) = 10 AND site NOT GLOB '*[^0-9A-HJ-NP-Z]*')"
        " OR (length(site) = 32 AND site NOT GLOB '*[^0-9a-f]*')"
    ),
}
_TRAILS: Final = ("changes", "assignment_trail", "aggregator_trail", "publications")
_ONLY_GROWS: Final = """
CREATE FUNCTION registry_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% only grows', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def upgrade() -> None:
    """Make all tables."""
    _make_aggregators()
    _make_assignments()
    _make_trails()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_ONLY_GROWS)
    for table in _TRAILS:
        _protect(table)


def _make_aggregators() -> None:
    op.create_table(
        "aggregators",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column("is_active", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("is_active IN (0, 1)", name=op.f("ck_aggregators_is_active")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_aggregators")),
        sa.UniqueConstraint("id", name=op.f("uq_aggregators_id")),
    )
    op.create_index(
        "uq_aggregators_active_public_key",
        "aggregators",
        ["public_key"],
        unique=True,
        sqlite_where=sa.text("is_active = 1"),
        postgresql_where=sa.text("is_active = 1"),
    )


def _make_assignments() -> None:
    op.create_table(
        "assignments",
        sa.Column("site", _SITE, nullable=False),
        sa.Column("aggregator", sa.Integer(), nullable=False),
        sa.Column("start_s", sa.BigInteger(), nullable=False),
        sa.Column("end_s", sa.BigInteger(), nullable=False),
        sa.Column("prev_end", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site", "end_s", name=op.f("pk_assignments")),
        sa.UniqueConstraint("site", "prev_end", name=op.f("uq_assignments_site_prev_end")),
        sa.ForeignKeyConstraint(
            ["aggregator"], ["aggregators.number"], name=op.f("fk_assignments_aggregator")
        ),
        sa.ForeignKeyConstraint(
            ["site", "prev_end"],
            ["assignments.site", "assignments.end_s"],
            name=op.f("fk_assignments_site_prev_end"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.CheckConstraint("prev_end <= start_s", name=op.f("ck_assignments_order")),
        sa.CheckConstraint("start_s >= 0 AND start_s % 300 = 0", name=op.f("ck_assignments_start")),
        sa.CheckConstraint(
            "end_s > start_s AND (end_s % 300 = 0 OR end_s = 4611686018427387904)",
            name=op.f("ck_assignments_end"),
        ),
        sa.CheckConstraint(
            _SITE_RULES[op.get_bind().dialect.name], name=op.f("ck_assignments_site")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_assignments_first",
        "assignments",
        ["site"],
        unique=True,
        sqlite_where=sa.text("prev_end IS NULL"),
        postgresql_where=sa.text("prev_end IS NULL"),
    )


def _make_trails() -> None:
    op.create_table(
        "changes",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("made_at_us", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("action", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_changes")),
    )
    op.create_table(
        "assignment_trail",
        sa.Column("change", _NUMBER, nullable=False),
        sa.Column("is_added", sa.SmallInteger(), nullable=False),
        sa.Column("site", _SITE, nullable=False),
        sa.Column("aggregator", sa.Integer(), nullable=False),
        sa.Column("start_s", sa.BigInteger(), nullable=False),
        sa.Column("end_s", sa.BigInteger(), nullable=False),
    )
    op.create_index(op.f("ix_assignment_trail_site"), "assignment_trail", ["site"])
    op.create_table(
        "aggregator_trail",
        sa.Column("change", _NUMBER, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("before", sa.String(), nullable=True),
        sa.Column("after", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["change"], ["changes.number"], name=op.f("fk_aggregator_trail_change")
        ),
    )
    op.create_table(
        "publications",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("salt_digest", sa.LargeBinary(), nullable=False),
        sa.Column("assignments", sa.BigInteger(), nullable=False),
        sa.Column("published_at_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_publications")),
        sa.UniqueConstraint("digest", name=op.f("uq_publications_digest")),
    )


def _protect(table: str) -> None:
    """Triggers that let a table only grow."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION registry_only_grows()"
        )
        return
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_only_grows_{event.lower()} BEFORE {event} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
        )
