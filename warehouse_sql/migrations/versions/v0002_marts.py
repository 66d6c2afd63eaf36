"""Customers by month, pairs of products, and the schemas and the record of the marts that dbt deploys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BI_ROLE = "retail_bi"
MARTS, SEEDS = "marts", "seeds"


def upgrade() -> None:
    """Make the two tables that publish loads, and what a deployment of the marts needs."""
    op.create_table(
        "customer_monthly",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.Column("gross", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.Column("returns", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.Column("first_purchase_date", sa.Date(), nullable=True),
        sa.Column("last_purchase_date", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "month", name="pk_customer_monthly"),
        schema="gold",
    )
    op.create_index("ix_customer_monthly_month", "customer_monthly", ["month"], unique=False, schema="gold")
    op.create_table(
        "basket_pairs",
        sa.Column("code_a", sa.Text(), nullable=False),
        sa.Column("code_b", sa.Text(), nullable=False),
        sa.Column("pair_count", sa.BigInteger(), nullable=False),
        sa.Column("a_count", sa.BigInteger(), nullable=False),
        sa.Column("b_count", sa.BigInteger(), nullable=False),
        sa.Column("total_count", sa.BigInteger(), nullable=False),
        _measure("support", "pair_count::numeric / total_count"),
        _measure("confidence_a_to_b", "pair_count::numeric / a_count"),
        _measure("confidence_b_to_a", "pair_count::numeric / b_count"),
        _measure("lift", "pair_count::numeric * total_count / (a_count::numeric * b_count)"),
        _measure(
            "leverage",
            "(pair_count::numeric * total_count - a_count::numeric * b_count) / (total_count::numeric * total_count)",
        ),
        sa.PrimaryKeyConstraint("code_a", "code_b", name="pk_basket_pairs"),
        schema="gold",
    )
    op.create_index("ix_basket_pairs_code_b", "basket_pairs", ["code_b"], unique=False, schema="gold")
    op.create_table(
        "mart_deployments",
        sa.Column("deployment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("deployed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("project_hash", sa.Text(), nullable=False),
        sa.Column("manifest", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id"),
        schema="ops",
    )
    for schema in (MARTS, SEEDS):
        op.execute(f"CREATE SCHEMA {schema}")
        op.execute(f"GRANT USAGE ON SCHEMA {schema} TO {BI_ROLE}")


def _measure(name: str, formula: str) -> "sa.Column[object]":
    return sa.Column(name, sa.Numeric(precision=24, scale=10), sa.Computed(f"round({formula}, 10)", persisted=True))


def downgrade() -> None:
    """Remove the marts, whose definitions dbt can deploy again, and the tables."""
    for schema in (MARTS, SEEDS):
        op.execute(f"DROP SCHEMA {schema} CASCADE")
    op.drop_table("mart_deployments", schema="ops")
    op.drop_index("ix_basket_pairs_code_b", table_name="basket_pairs", schema="gold")
    op.drop_table("basket_pairs", schema="gold")
    op.drop_index("ix_customer_monthly_month", table_name="customer_monthly", schema="gold")
    op.drop_table("customer_monthly", schema="gold")
