"""The nouns that everything else leans on. Knows no file format, no filter and no process."""
