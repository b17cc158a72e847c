"""method x task x seed under one budget: statistics, tables, report.

options: what a comparison is asked to do    rows: methods and settings as rows    budget: the ceiling
bench: what methods receive    products: cache of what they hand over    tuning: equal trials
cell: one row under one seed    grade: how answers and scorers are measured    runner: processes, progress, resume
aggregate: cells to report.json    advice: three lines    report: html, markdown, terminal    verify: claims
"""
