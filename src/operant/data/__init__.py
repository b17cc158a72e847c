"""Feedback files in, records out. Knows no domain, and no torch.

codes        every problem a row can have: code, severity, meaning
row          one row as any reader hands it on
files        what a text file is: gzip or not, JSON Lines, JSON array, CSV, or nothing we read
parse        one row of text as an object, or the flaw that forbids it
read         the rows of a file, one at a time, with their lines
tables       the rows of Parquet and Arrow, in batches
folders      the rows of a dataset folder, and the splits that its files are named after
hub          the rows of a dataset of the hub
sources      which of these a name means
known        every layout that we read: the columns that make it
layouts      which of them a row has, and which of them a file has
verdicts     who won: 1 or 2, a tie, or nobody said
strength     how strong a preference is, and what several annotators agree on
prompts      the prompt that two answers share when no column holds it
records      the record that a row becomes
values       text, messages, a number or a label in one column
turns        prompts and dialogues that LLaMA-Factory spreads over several columns
lists        records whose columns are lists: steps, ratings, targets, scored segments
convert      a row and its columns as a record
cut          what a maximum length leaves of a row
tokens       a tokenizer read from tokenizer.json
scan         reader and layout together: one event per row
identity     hashes by which content is known again
lengths      how long the sides are, in tokens or characters
tally        what is counted on the way through a file
report       what a check found
check        one pass over a file, for its report
load         the records of a file
split        train, valid and test by prompt
swap         which side of a pair is shown first
chat         messages as plain text and back
derive       records made from records of another kind
ways         which kind can become which, step by step
layouts_out  records as rows of a layout that others read
write        rows into a file or a dataset folder
rewrite      a file's records made into what another layout holds, and written
trees        the tree that an answer was searched in, kept and drawn
represented  answers of any subject as plain values, drawn and counted
without      a task's side that has no feedback of some kind
demonstrated a task whose feedback is answers that are right by construction
modelless    generators whose answers no language model writes
"""
