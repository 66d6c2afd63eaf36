SELECT DISTINCT to_char(month, 'YYYY-MM') AS invoice_month
FROM gold.customer_monthly
