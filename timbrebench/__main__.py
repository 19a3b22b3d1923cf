"""``python -m timbrebench`` is ``bench``."""

import sys

from timbrebench.cli import main

sys.exit(main())
