{# Filled by REFRESH, not by CREATE: only then do transactions that began earlier see the rows (before PostgreSQL 17). #}
{% macro postgres__get_create_materialized_view_as_sql(relation, sql) %}
    create materialized view if not exists {{ relation }} as {{ sql }}
    with no data;
    {% for index in config.get('indexes', []) %}
        {{ get_create_index_sql(relation, index) }};
    {% endfor %}
    refresh materialized view {{ relation }}
{% endmacro %}
