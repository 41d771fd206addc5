"""What tests share: settings of small runs, networks and worlds that are known, bad input, scripts.

No test module imports another one; what two of them need lies here.
"""
