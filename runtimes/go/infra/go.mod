module infra

go 1.18
