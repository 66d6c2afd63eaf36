"""The star schema and the record of publications and runs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMAS = ("gold", "ops")
BI_ROLE = "retail_bi"


def upgrade() -> None:
    """Make the schemas, their tables, the default partition and the role for BI tools."""
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA {schema}")
    op.create_table(
        "dim_country",
        sa.Column("country_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("iso_alpha2", sa.Text(), nullable=True),
        sa.Column("iso_alpha3", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("country_key"),
        sa.UniqueConstraint("country"),
        schema="gold",
    )
    op.create_table(
        "dim_customers",
        sa.Column("customer_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("customer_key"),
        schema="gold",
    )
    op.create_index(
        "ix_dim_customers_customer_id", "dim_customers", ["customer_id", "valid_from"], unique=True, schema="gold"
    )
    op.create_table(
        "dim_date",
        sa.Column("date_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("full_date", sa.Date(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("quarter", sa.SmallInteger(), nullable=False),
        sa.Column("month", sa.SmallInteger(), nullable=False),
        sa.Column("month_name", sa.Text(), nullable=False),
        sa.Column("day", sa.SmallInteger(), nullable=False),
        sa.Column("iso_year", sa.SmallInteger(), nullable=False),
        sa.Column("iso_week", sa.SmallInteger(), nullable=False),
        sa.Column("iso_weekday", sa.SmallInteger(), nullable=False),
        sa.Column("weekday_name", sa.Text(), nullable=False),
        sa.Column("is_weekend", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("date_key"),
        sa.UniqueConstraint("full_date"),
        schema="gold",
    )
    op.create_table(
        "dim_products",
        sa.Column("product_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stock_code", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("product_key"),
        schema="gold",
    )
    op.create_index(
        "ix_dim_products_stock_code", "dim_products", ["stock_code", "valid_from"], unique=True, schema="gold"
    )
    op.create_table(
        "publications",
        sa.Column("data_version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("tables", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changed_dates", sa.ARRAY(sa.Date()), nullable=False),
        sa.Column("changed_product_keys", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("changed_customer_keys", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("data_version"),
        schema="ops",
    )
    op.create_table(
        "rule_counts",
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("line_count", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=20, scale=4), nullable=True),
        sa.PrimaryKeyConstraint("rule_id", "outcome"),
        schema="ops",
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
        schema="ops",
    )
    op.create_table(
        "fact_sales",
        sa.Column("sale_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_no", sa.Text(), nullable=False),
        sa.Column("invoice_date", sa.Date(), nullable=False),
        sa.Column("invoice_ts", sa.DateTime(), nullable=False),
        sa.Column("date_key", sa.Integer(), nullable=False),
        sa.Column("customer_key", sa.BigInteger(), nullable=False),
        sa.Column("product_key", sa.BigInteger(), nullable=False),
        sa.Column("country_key", sa.Integer(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("total_amount", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("discount_amount", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("line_type", sa.Text(), nullable=False),
        sa.Column("is_sale", sa.Boolean(), nullable=False),
        sa.Column("is_return", sa.Boolean(), nullable=False),
        sa.Column("data_quality_score", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("source_row_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["country_key"],
            ["gold.dim_country.country_key"],
        ),
        sa.ForeignKeyConstraint(
            ["customer_key"],
            ["gold.dim_customers.customer_key"],
        ),
        sa.ForeignKeyConstraint(
            ["date_key"],
            ["gold.dim_date.date_key"],
        ),
        sa.ForeignKeyConstraint(
            ["product_key"],
            ["gold.dim_products.product_key"],
        ),
        sa.PrimaryKeyConstraint("sale_key", "invoice_date", name="pk_fact_sales"),
        schema="gold",
        postgresql_partition_by="RANGE (invoice_date)",
    )
    op.create_index(
        "ix_fact_sales_customer_date", "fact_sales", ["customer_key", "date_key"], unique=False, schema="gold"
    )
    op.create_index(
        "ix_fact_sales_invoice_date", "fact_sales", ["invoice_date", "sale_key"], unique=False, schema="gold"
    )
    op.create_index(
        "ix_fact_sales_product_country", "fact_sales", ["product_key", "country"], unique=False, schema="gold"
    )
    op.create_index(
        "ix_fact_sales_returns",
        "fact_sales",
        ["date_key"],
        unique=False,
        schema="gold",
        postgresql_where=sa.text("is_return"),
    )
    op.create_index(
        "ix_fact_sales_year_month",
        "fact_sales",
        [
            sa.literal_column("(extract(year from invoice_date))"),
            sa.literal_column("(extract(month from invoice_date))"),
        ],
        unique=False,
        schema="gold",
    )
    # Publish makes the partitions of the quarters that have sales; this one must stay empty, and publish checks it.
    op.execute("CREATE TABLE gold.fact_sales_default PARTITION OF gold.fact_sales DEFAULT")
    _grant_to_bi()


def _grant_to_bi() -> None:
    """Let BI tools read; the role belongs to the server, so it is made only where it is absent and never dropped."""
    op.execute(f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{BI_ROLE}') THEN
                CREATE ROLE {BI_ROLE} NOLOGIN;
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of this server made it in this moment
        END $$
    """)
    op.execute(f"GRANT USAGE ON SCHEMA gold, ops TO {BI_ROLE}")
    op.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA gold TO {BI_ROLE}")
    op.execute(f"GRANT SELECT ON ops.publications, ops.rule_counts TO {BI_ROLE}")
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA gold GRANT SELECT ON TABLES TO {BI_ROLE}")


def downgrade() -> None:
    """Remove everything but the role."""
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA gold REVOKE SELECT ON TABLES FROM {BI_ROLE}")
    op.drop_index("ix_fact_sales_year_month", table_name="fact_sales", schema="gold")
    op.drop_index(
        "ix_fact_sales_returns", table_name="fact_sales", schema="gold", postgresql_where=sa.text("is_return")
    )
    op.drop_index("ix_fact_sales_product_country", table_name="fact_sales", schema="gold")
    op.drop_index("ix_fact_sales_invoice_date", table_name="fact_sales", schema="gold")
    op.drop_index("ix_fact_sales_customer_date", table_name="fact_sales", schema="gold")
    op.drop_table("fact_sales", schema="gold")
    op.drop_table("runs", schema="ops")
    op.drop_table("rule_counts", schema="ops")
    op.drop_table("publications", schema="ops")
    op.drop_index("ix_dim_products_stock_code", table_name="dim_products", schema="gold")
    op.drop_table("dim_products", schema="gold")
    op.drop_table("dim_date", schema="gold")
    op.drop_index("ix_dim_customers_customer_id", table_name="dim_customers", schema="gold")
    op.drop_table("dim_customers", schema="gold")
    op.drop_table("dim_country", schema="gold")
    for schema in SCHEMAS:
        op.execute(f"DROP SCHEMA {schema}")
