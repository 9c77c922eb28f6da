"""Threads that end, and interpreters that end while threads are at work."""

import ast
import sys

import pytest
from program import run

# What a thread may be at when the interpreter ends. Each leaves and takes Python's lock in its way.
BUSY = {
    "small": "mx.eval(mx.arange(10) + 1)",
    "product": "mx.eval(mx.ones((300, 300)) @ mx.ones((300, 300)) + 1)",
    "item": "(mx.ones((50, 50)) * 2).sum().item()",
    "async": "mx.async_eval(mx.ones((300, 300)) @ mx.ones((300, 300)))",
    "synchronize": "mx.async_eval(mx.ones((300, 300)) + 1); mx.synchronize()",
    "grad": "mx.eval(mx.grad(f)(mx.ones(10)))",
    "jvp": "mx.eval(mx.jvp(f, [mx.ones(10)], [mx.ones(10)]))",
    "vjp": "mx.eval(mx.vjp(f, [mx.ones(10)], [mx.array(1.0)]))",
    "vmap": "mx.eval(mx.vmap(f)(mx.ones((3, 10))))",
    "compile": "mx.eval(mx.compile(lambda x: f(x))(mx.ones(10)))",
    "checkpoint": "mx.eval(mx.grad(mx.checkpoint(f))(mx.ones(10)))",
    "custom": "mx.eval(mx.grad(custom)(mx.ones(10)))",
    "training": "mx.eval(train(mx.ones((2, 4))))",
    "linalg": "mx.eval(mx.linalg.inv(mx.eye(150) * 2))",
    "numpy": "mx.eval(mx.array(np.ones((100, 100))) + 1)",
    "dlpack": "mx.eval(mx.from_dlpack(np.ones(1000, np.float32)) + 1)",
    "file": "b = io.BytesIO(); mx.save(b, mx.arange(1000)); b.seek(0); mx.load(b, 'npy')",
    "archive": "b = io.BytesIO(); mx.savez(b, a=mx.arange(1000)); b.seek(0); mx.load(b, 'npz')",
    "export": "mx.export_function(lambda record: len(record), f, mx.ones(10))",
    "stream": "\nwith mx.stream(mx.new_stream(mx.cpu)): mx.eval(mx.ones(10) + 1)",
    "threads": "t = threading.Thread(target=lambda: mx.eval(mx.ones(9) + 1)); t.start(); t.join()",
}
DAEMONS = """
import io, os, sys, threading, time
import numpy as np
import heddle.core as mx
import heddle.nn as nn

def f(x):
    return sum((x * i).sum() for i in range(5))

@mx.custom_function
def custom(x):
    return f(x)
custom.vjp(lambda primals, cotangents, outputs: primals * cotangents)

def train(x):
    layer = nn.Linear(4, 4)
    return nn.value_and_grad(layer, lambda x: layer(x).sum())(x)

work = compile(sys.argv[1], "work", "exec")
rounds = [0] * 3

def busy(i):
    try:
        while True:
            exec(work, dict(globals()))
            rounds[i] += 1
    except Exception as error:
        print(repr(error), flush=True)
        os._exit(1)

for i in range(3):
    threading.Thread(target=busy, args=(i,), daemon=True).start()
while not all(rounds):
    time.sleep(0.001)
time.sleep(float(sys.argv[2]))
print(min(rounds) > 0)
"""


@pytest.mark.parametrize("work", BUSY)
def test_an_interpreter_ends_beside_busy_daemon_threads(work):
    for moment in (0, 0.003, 0.01):
        assert run(DAEMONS, BUSY[work], moment) == "True\n"


AT_THE_END = """
import atexit, builtins, os, weakref
import heddle.core as mx
import heddle.nn as nn

def work(name):
    total = (mx.ones((64, 64)) @ mx.ones((64, 64))).sum().item()
    derivative = mx.grad(lambda x: x * x)(mx.array(2.0)).item()
    mx.async_eval(mx.ones(10) * 3)
    mx.synchronize()
    print(name, total, mx.linalg.inv(mx.eye(3)).sum().item(), derivative, flush=True)

class Late:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        work(self.name)

atexit.register(work, "atexit")
x = mx.ones(3)
weakref.finalize(x, work, "finalize")
a_global = Late("global")
cycle = [Late("cycle")]
cycle.append(cycle)
builtins.kept = Late("builtins")
compiled = mx.compile(lambda x: x + 1)
compiled(x)
unread = nn.Linear(3, 3)(x)
mx.async_eval(mx.ones((1500, 1500)) @ mx.ones((1500, 1500)))
"""


def test_work_while_the_interpreter_ends():
    lines = run(AT_THE_END).splitlines()
    assert sorted(line.split()[0] for line in lines) == [
        "atexit",
        "builtins",
        "cycle",
        "finalize",
        "global",
    ]
    assert all(line.split()[1:] == ["262144.0", "3.0", "4.0"] for line in lines)


QUEUED = """
import heddle.core as mx
a = [mx.ones((400, 400)) @ mx.ones((400, 400)) for _ in range(20000)]
for x in a:
    mx.async_eval(x)
print("queued")
"""


def test_an_exit_does_not_wait_for_what_nobody_will_read():
    assert run(QUEUED) == "queued\n"


ENDED = """
import threading
import heddle.core as mx

made = {}

def work():
    made["lazy"] = mx.arange(10) * 2
    made["stream"] = mx.new_stream(mx.cpu)
    with mx.stream(made["stream"]):
        made["on a stream"] = mx.arange(10) * 2
    made["handle"] = mx.new_thread_local_stream(mx.cpu)
    with mx.stream(made["handle"]):
        made["on its own"] = mx.arange(10) * 2
    made["evaluated"] = mx.arange(10) * 2
    mx.eval(made["evaluated"])
    mx.async_eval(mx.ones((700, 700)) @ mx.ones((700, 700)))  # keeps the background busy
    made["handed over"] = mx.arange(10) * 2
    mx.async_eval(made["handed over"])

def told(f):
    try:
        return f()
    except RuntimeError as error:
        return str(error)

thread = threading.Thread(target=work)
thread.start()
thread.join()
print({name: told(lambda: a.sum().item()) for name, a in made.items() if "sum" in dir(a)})
print(told(lambda: mx.add(1, 2, stream=made["stream"]).item()))
print(mx.add(1, 2, stream=made["handle"]).item(), mx.synchronize(made["handle"]))
print(len([mx.eval(mx.ones(3) + i) for i in range(10)]))
"""


def test_work_of_a_thread_that_has_ended():
    values, stream, handle, after = run(ENDED).splitlines()
    values = ast.literal_eval(values)
    # What was computed or handed to the background is for everyone; what is lazy stays its own.
    assert values.pop("evaluated") == 90
    assert values.pop("handed over") == 90
    assert sorted(values) == ["lazy", "on a stream", "on its own"]
    assert all("There is no Stream" in text for text in [*values.values(), stream])
    assert handle == "3 None" and after == "10"


HANDED_OVER = """
import queue, threading
import heddle.core as mx

batches = queue.Queue()

def produce():
    for i in range(200):
        batch = mx.ones((100, 100)) * i
        mx.async_eval(batch)
        batches.put(batch)

threading.Thread(target=produce).start()
print(sum(batches.get()[3, 4].item() for _ in range(200)))
"""


def test_what_one_thread_computes_in_the_background_another_reads():
    assert run(HANDED_OVER) == f"{float(sum(range(200)))}\n"


MANY = """
import threading
import numpy as np
import heddle.core as mx

def work():
    w = mx.ones((20, 20))
    with mx.stream(mx.new_stream(mx.cpu)):
        mx.eval(mx.grad(lambda w: (w @ w).sum())(w), mx.random.normal((10,)), mx.fft.fft(w))
        mx.eval(mx.linalg.qr(w), mx.sort(w), mx.array(np.ones(10)) + 1)
    mx.async_eval(w @ w)

for round in range(50):
    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    if round == 9:
        mx.synchronize()
        before = mx.get_active_memory()
mx.synchronize()
print(mx.get_active_memory() <= before + 1000)
"""


def test_threads_that_come_and_go_leave_nothing():
    assert run(MANY) == "True\n"


SUBINTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

def inside():
    made = interpreters.create()
    try:
        told = interpreters.run_string(made, "import heddle.core")
    except Exception as error:
        told = error
    interpreters.destroy(made)
    return "ImportError" in str(told) or "ImportError" in repr(told)

before = inside()
import heddle.core as mx
print(before, inside(), mx.grad(lambda x: (x * mx.ones(3)).sum())(mx.array(2.0)).item(), inside())
"""


def test_other_interpreters_are_refused_and_do_no_harm():
    assert run(SUBINTERPRETERS) == "True True 3.0 True\n"


FORKED = """
import os, signal, threading, time
import numpy as np
import heddle.core as mx

def check():
    a = mx.arange(40000).reshape(200, 200).astype(mx.float32)
    assert (a @ mx.eye(200))[3, 5].item() == 605
    assert mx.grad(lambda x: (x * x).sum())(mx.ones(3)).tolist() == [2, 2, 2]
    assert np.allclose(np.array(mx.linalg.inv(mx.eye(300) * 2)), np.eye(300) / 2)
    x = mx.ones(5) + 1
    mx.async_eval(x)
    mx.synchronize()
    assert x.sum().item() == 10

def busy():
    while True:
        mx.eval(mx.ones((200, 200)) @ mx.ones((200, 200)))
        mx.async_eval(mx.ones((200, 200)) + 1)

check()
for _ in range(2):
    threading.Thread(target=busy, daemon=True).start()
for _ in range(5):
    child = os.fork()
    if child == 0:
        check()
        grandchild = os.fork()
        if grandchild == 0:
            check()
            os._exit(7)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]) - 4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
check()
print("checked")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks beside threads")
def test_forks_beside_busy_threads():
    assert run(FORKED) == "checked\n"


INTERRUPTED = """
import os, signal, threading, time
import heddle.core as mx

def interrupt():
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
x = mx.ones((300, 300))
try:
    while True:
        y = x
        for _ in range(2000):
            y = mx.sin(y @ x)
        mx.eval(y)
except KeyboardInterrupt:
    print("interrupted", mx.sum(x).item())
"""


def test_an_interrupt_reaches_the_main_thread():
    assert run(INTERRUPTED) == "interrupted 90000.0\n"
