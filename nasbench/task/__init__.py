"""What architectures are trained on. Readers import scikit-learn, Pillow, torchvision at call."""

from nasbench._callable import make_callable
from nasbench.task.base import Split, Task
from nasbench.task.pixels import Images, mean_pool
from nasbench.task.registry import from_spec, get, names
from nasbench.task.signal import Signal, Target
from nasbench.task.splitting import make_task

__all__ = [
    "Images",
    "Signal",
    "Split",
    "Target",
    "Task",
    "from_spec",
    "get",
    "make_task",
    "mean_pool",
    "names",
]

make_callable(__name__, get)
