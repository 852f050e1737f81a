"""The direction of a metric follows from its name."""

import doctest

import pytest

from nasbench.table import metrics
from nasbench.table.metrics import direction


@pytest.mark.parametrize(
    "metric",
    "valid_accuracy test_accuracy accuracy_top1 top5 valid_miou valid_mIoU mIoU IoU valid_f1 F1 "
    "macro_f1 roc_auc AUC mAP mAP50 r2 R^2 valid_r2 episode_return mean_reward throughput fps "
    "tx2/throughput_ips images_per_second tokens_per_s flops_per_second neg_mean_squared_error "
    "neg_log_loss log_likelihood testAccuracy psnr bleu valid_accuracy_s0 recall_at_10 kendall_tau "
    "dice mcc".split(),
)
def test_more_is_better(metric):
    assert direction(metric) == "max"


@pytest.mark.parametrize(
    "metric",
    "valid_loss loss validLoss valid_error top5_error error_rate err mse valid_mse RMSE mae MAPE "
    "perplexity test_ppl valid-loss raspi4/latency_ms latency energy_mj a/b/memory_mib p50_us "
    "train_seconds parameters flops gflops MACs num_params negative_log_likelihood nll bpc wer "
    "accuracy_loss accuracy_drop cross_entropy testerror seconds_per_epoch energy_mj_per_image "
    "mj_per_second training_hours model_size_mb fid ece regret power_w".split(),
)
def test_less_is_better(metric):
    assert direction(metric) == "min"


@pytest.mark.parametrize(
    "metric", ["", "/", "sparsity", "s0", "valid", "proxy/synflow", "per", "x_per_y"]
)
def test_other_names_say_nothing(metric):
    assert direction(metric) is None


def test_the_two_lists_of_words_share_none():
    assert not metrics._LESS & metrics._MORE
    assert doctest.testmod(metrics).failed == 0
