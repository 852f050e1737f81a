"""What a user's file does to the process that runs it."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.network import network
from nasbench.task import Signal

TASK = SimpleNamespace(signal=Signal("features", (4,), "float32"), outputs=2)

SPACE = """\
import os
from torch import nn
from nasbench.space import ChoiceSpace
space = ChoiceSpace("ends", {"a": [1, 2, 3]})
class Net(nn.Linear):
    def forward(self, x):
        os._exit(4)
def build(choices, inputs, outputs):
    if choices["a"] == 1:
        os._exit(3)
    return Net(4, outputs)
def child():
    pid = os.fork()
    if not pid:
        try:
            os._exit(7)
        finally:
            os.kill(os.getpid(), 9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def test_a_file_that_ends_the_process_is_refused_with_its_line(tmp_path):
    (tmp_path / "ends.py").write_text("import os\nfrom os import _exit\nos._exit(0)\n")
    with pytest.raises(NasbenchError, match=r"ends\.py calls os\._exit\(0\) in line 3"):
        nb.space(tmp_path / "ends.py")


def test_so_are_its_functions_and_networks_but_no_child_of_theirs(tmp_path):
    (tmp_path / "my_space.py").write_text(SPACE)
    space = nb.space(tmp_path / "my_space.py")
    with pytest.raises(NasbenchError, match=r"os\._exit\(3\) in line 10"):
        network(space, 0, TASK, {})
    net = network(space, 1, TASK, {})
    with pytest.raises(NasbenchError, match=r"os\._exit\(4\) in line 7"):
        net(None)
    assert net.forward.__globals__["child"]() == 7
    if not (pid := os.fork()):
        try:
            os._exit(5)  # this file is no user's
        finally:
            os.kill(os.getpid(), signal.SIGKILL)  # a copy would go on with the tests
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
