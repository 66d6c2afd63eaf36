SELECT DISTINCT to_char(invoice_date, 'YYYY-MM') AS invoice_month
FROM gold.fact_sales
