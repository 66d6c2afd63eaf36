"""What a table is: table classes, migrations and statements. It opens no connection and runs nothing."""
