"""Runs the suite ut/test.py of cos-python-sdk-v5 without changing it.

argv[1] is the clone, argv[2] a JSON list of the tests to leave out. Prints `RESULT ` and a line of JSON for each test. The suite
is written for nose: functions that begin with `test_`, in their order, after `setUp`.
"""
import importlib.util
import json
import os
import signal
import sys
import traceback

LONGEST_S = 120

clone, left_out = sys.argv[1], json.loads(sys.argv[2])
out = os.fdopen(os.dup(1), "w")


def report(name, outcome, message=""):
    out.write("\nRESULT " + json.dumps({"name": name, "outcome": outcome, "message": message}) + "\n")
    out.flush()


def give_up(_signal, _frame):
    raise TimeoutError("not done after %d s" % LONGEST_S)


signal.signal(signal.SIGALRM, give_up)
sys.path.insert(0, clone)
spec = importlib.util.spec_from_file_location("suite", os.path.join(clone, "ut", "test.py"))
suite = importlib.util.module_from_spec(spec)
sys.modules["suite"] = suite
spec.loader.exec_module(suite)
suite.setUp()
tests = [(name, value) for name, value in vars(suite).items() if name.startswith("test_") and callable(value)]
for name, test in tests:
    if any(name.startswith(each) for each in left_out):
        report(name, "left out")
        continue
    signal.alarm(LONGEST_S)
    try:
        test()
        report(name, "passed")
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)
        lines = [each.lineno for each in where if each.filename.endswith("test.py")]
        report(name, "failed", ("line %s: %s: %s" % (lines[-1:], type(error).__name__, error))[:300])
    finally:
        signal.alarm(0)
os._exit(0)
