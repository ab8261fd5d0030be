module autoscrape.bench/floor

go 1.26
