"""Lineage (the Kedro side): what every artifact was made of, and whether it is what a run asks for.

An artifact's *identity* is a hash of what decides its content: the function that made it, the code
behind that function, the parameters that it reads, and the content of its inputs. The identity
names the artifact's folder; a *record* in there, written last, says what went into it. There is no
other answer to the question whether something was made already:

- ``code``: the version of a function, by the content of the modules behind it
- ``content``: the content of files and folders, by hash
- ``records``: the record beside an artifact
- ``ledger``: identities and records of all artifacts that a set of parameters asks for
- ``catalog``: Kedro's catalog, whose versions are identities and which checks what it loads
- ``runner``: Kedro's runner, which makes what is missing or out of date and takes over the rest
"""
