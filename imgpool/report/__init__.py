"""What people and scripts see: lines of text on the terminal, and JSON objects.

One module per command or view (`overview` and `console` for a run, `status`, `verify`, `compare`, `estimate`,
`listing`, `models`); `text`, `stdout`, `stderr` and `progress` are shared. Functions named ``…_lines`` and ``…_text``
are for people, ``…_json`` for scripts. The keys of the JSON objects are public; texts may be improved at any time.
"""
