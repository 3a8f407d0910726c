module github.com/aitbc/aitbc

go 1.26.8
