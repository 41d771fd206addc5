"""What tests share: settings of small runs, networks and worlds that are known, bad input, scripts.

No test module imports another one; what two of them need lies here. Tests compute with one thread,
in this process and in the programs that they start, unless OMP_NUM_THREADS says otherwise: several
threads wait for each other on a busy machine, and add in another order.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
