"""Says of each token what the code of the manual says of it: MODULE TOKEN_FILE …"""

import importlib
import pathlib
import sys

verify = importlib.import_module(sys.argv[1]).verify
for path in map(pathlib.Path, sys.argv[2:]):
    try:
        assert verify(path.read_text().strip())["permissions"] is not None
        print(path.name, "accepted")
    except Exception as error:
        print(path.name, "refused")
        print(f"{path.name}: {error!r}", file=sys.stderr)
