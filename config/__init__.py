"""What the operator wrote, as frozen values.

text              config/document.py       YAML 1.2 with the line and column of every key and value
shape             config/models/           one frozen model a concern, with every default, unit and bound
units             config/units.py          250ms, 64KiB, 100/s, 20%
keys              config/keys.py           which keys may stand where, read from the models
what it is for    config/descriptions.py   the string below each field, read when somebody asks
words             config/faults.py         what the models refused, as people say it, with the nearest known key
environment       config/environment.py    TIDEGATE_NODE__REGION and its like
secrets           config/secrets.py        env:NAME and file:path, resolved late, never dumped
changes           config/file_changes.py    has one of these files changed?
sense             config/crosschecks.py    what no single value can know: references, overlaps, unsafe relations
together          config/loader.py         a file in; a `Loaded` configuration, or every problem at once, out
editors           config/schema.py         the same models as JSON Schema
residency         config/core/residency.py one policy, one question: may this data go there
"""
