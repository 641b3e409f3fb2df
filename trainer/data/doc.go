// Package data turns text files into a data directory and a data directory into batches.
//
// In: CSV, TSV, JSONL, Parquet and plain text files or folders of them, gzip and zstd too, and a Tokenizer.
// Out: a data directory (dataset.json, the tokenizer, token shards in llm.c's layout, document and label tables; see
// docs/formats.md), written whole or not at all; and from it a TokenLoader (language modelling) or a DocumentLoader
// (classification), whose position is saved and restored exactly.
//
// Errors: a file that cannot be read as what it claims to be stops the import. A single bad row (broken UTF-8, no text,
// unknown label, wrong number of columns) is a BadRow with file, line and what to do; OnBadRow says whether it stops the
// import or is counted and left out. A damaged data directory is refused with the file's name, what was found and what
// was wanted. Nothing is dropped without being counted and nothing panics on bad input.
package data
