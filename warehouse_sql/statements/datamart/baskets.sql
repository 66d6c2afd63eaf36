-- One row per pair of products, largest value of the chosen measure (sort) first, after the position (after_value,
-- after_code_a, after_code_b); with stock_code bound, the pairs of that product; with min_lift, those it helps most.
WITH pairs AS (
    SELECT
        pair.*,
        CASE %(sort)s::text
            WHEN 'support' THEN pair.support
            WHEN 'leverage' THEN pair.leverage
            ELSE pair.lift
        END AS sort_value
    FROM gold.basket_pairs AS pair
    WHERE
        (%(stock_code)s::text IS NULL OR pair.code_a = %(stock_code)s::text OR pair.code_b = %(stock_code)s::text)
        AND (%(min_lift)s::numeric IS NULL OR pair.lift >= %(min_lift)s::numeric)
)

SELECT
    pairs.sort_value,
    pairs.code_a,
    product_a.description AS description_a,
    pairs.code_b,
    product_b.description AS description_b,
    pairs.pair_count,
    pairs.a_count,
    pairs.b_count,
    pairs.total_count,
    pairs.support,
    pairs.confidence_a_to_b,
    pairs.confidence_b_to_a,
    pairs.lift,
    pairs.leverage
FROM pairs
LEFT JOIN gold.dim_products AS product_a ON pairs.code_a = product_a.stock_code AND product_a.is_current
LEFT JOIN gold.dim_products AS product_b ON pairs.code_b = product_b.stock_code AND product_b.is_current
WHERE
    %(after_value)s::numeric IS NULL
    OR pairs.sort_value < %(after_value)s::numeric
    OR (
        pairs.sort_value = %(after_value)s::numeric
        AND (pairs.code_a, pairs.code_b) > (%(after_code_a)s::text, %(after_code_b)s::text)
    )
ORDER BY pairs.sort_value DESC, pairs.code_a ASC, pairs.code_b ASC
LIMIT %(limit)s::bigint
