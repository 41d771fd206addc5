"""`python3 -m lab.commands NAME`, which is `memorization-lab NAME`."""

import sys

from lab.commands import main

sys.exit(main())
