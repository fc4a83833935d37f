"""Everything that a person is shown: figures, sentences on numbers, lessons and reports."""
