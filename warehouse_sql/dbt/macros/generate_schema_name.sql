{# `marts` and `seeds` are taken as they are. A deployment builds beside them, in schemas with a suffix of its own. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}{{ env_var('RETAIL_DBT_SCHEMA_SUFFIX', '') }}
{%- endmacro %}
