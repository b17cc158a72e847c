"""Feedback files in, records out. Knows no domain, and no torch.

codes      every problem a row can have: code, severity, meaning
files      what a file is: gzip or not, JSON Lines, JSON array, CSV, or nothing we read
parse      one row of text as an object, or the flaw that forbids it
read       the rows of a file, one at a time, with their lines
layouts    which columns make which kind of row, and which of them a file has
verdicts   who won: 1 or 2, a tie, or nobody said
prompts    the prompt that two answers share when no column holds it
records    the record that a row becomes
values     text, messages, a number or a label in one column
convert    a row and its columns as a record
cut        what a maximum length leaves of a row
tokens     a tokenizer read from tokenizer.json
scan       reader and layout together: one event per row
identity   hashes by which content is known again
lengths    how long the sides are, in tokens or characters
tally      what is counted on the way through a file
report     what a check found
check      one pass over a file, for its report
load       the records of a file
split      train, valid and test by prompt
swap       which side of a pair is shown first
"""
