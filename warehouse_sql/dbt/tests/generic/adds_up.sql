{# A column adds up to an aggregate of the table that the mart sums: no row of it is lost and none counts twice. #}
{% test adds_up(model, column_name, of, to) %}
    select mart.total, source.total as source_total
    from (select coalesce(sum({{ column_name }}), 0) as total from {{ model }}) as mart
    cross join (select coalesce({{ of }}, 0) as total from {{ to }}) as source
    where mart.total <> source.total
{% endtest %}
