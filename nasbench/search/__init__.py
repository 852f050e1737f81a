"""What searches: the strategy's contract, oracles, the clock, runs and their comparison."""

from nasbench._callable import make_callable
from nasbench.search.adapters import ConfigSpaceObjective, OptunaObjective, make_env
from nasbench.search.call import search_once
from nasbench.search.catalog import StrategyInfo, strategy_info
from nasbench.search.clock import Clock
from nasbench.search.compare_call import compare
from nasbench.search.comparison import Comparison
from nasbench.search.comparisons import Comparisons
from nasbench.search.cost_model import CostModel
from nasbench.search.growing import SmallerSpace
from nasbench.search.isolation import Isolation
from nasbench.search.loop import Evaluation
from nasbench.search.measures import Adaptation, Novelty, Toll, novelty, time_to_adapt, toll
from nasbench.search.oracle import Oracle, TableOracle
from nasbench.search.protocol import SearchProtocol
from nasbench.search.run import Run, search
from nasbench.search.run_spec import RunSpec
from nasbench.search.strategy import (
    Budget,
    Fidelity,
    Goal,
    Limit,
    Objective,
    Outcome,
    Query,
    SoftTarget,
    Strategy,
    make_strategy,
    strategy_class,
    strategy_names,
)
from nasbench.search.surrogate_oracle import SurrogateOracle
from nasbench.search.trace import Trace
from nasbench.search.trainer_oracle import TrainerOracle

__all__ = [
    "Adaptation",
    "Budget",
    "Clock",
    "Comparison",
    "Comparisons",
    "ConfigSpaceObjective",
    "CostModel",
    "Evaluation",
    "Fidelity",
    "Goal",
    "Isolation",
    "Limit",
    "Novelty",
    "Objective",
    "OptunaObjective",
    "Oracle",
    "Outcome",
    "Query",
    "Run",
    "RunSpec",
    "SearchProtocol",
    "SmallerSpace",
    "SoftTarget",
    "Strategy",
    "StrategyInfo",
    "SurrogateOracle",
    "TableOracle",
    "Target",
    "Toll",
    "Trace",
    "TrainerOracle",
    "compare",
    "make_env",
    "make_strategy",
    "novelty",
    "search",
    "search_once",
    "strategy_class",
    "strategy_info",
    "strategy_names",
    "time_to_adapt",
    "toll",
]

Target = SoftTarget
"""The name under which scripts know it; `nasbench.task.Target` is what a task's examples have."""

make_callable(__name__, search_once)
