"""The direction of a metric follows from its name."""

import pytest

from nasbench.table import metrics
from nasbench.table.metrics import direction

MORE = """
valid_accuracy test_accuracy accuracy_top1 top5 valid_miou valid_mIoU mIoU IoU valid_f1 F1 macro_f1
roc_auc AUC mAP mAP50 r2 R^2 valid_r2 episode_return mean_reward throughput fps tx2/throughput_ips
images_per_second tokens_per_s flops_per_second neg_mean_squared_error neg_log_loss log_likelihood
testAccuracy psnr bleu valid_accuracy_s0 recall_at_10 kendall_tau dice mcc
"""
LESS = """
valid_loss loss validLoss valid_error top5_error error_rate err mse valid_mse RMSE mae MAPE
perplexity test_ppl valid-loss raspi4/latency_ms latency energy_mj a/b/memory_mib p50_us
train_seconds parameters flops gflops MACs num_params negative_log_likelihood nll bpc wer
accuracy_loss accuracy_drop cross_entropy testerror seconds_per_epoch energy_mj_per_image
mj_per_second training_hours model_size_mb fid ece regret power_w
"""
NEITHER = ["", "/", "sparsity", "s0", "valid", "proxy/synflow", "per", "x_per_y"]


@pytest.mark.parametrize(("names", "better"), [(MORE, "max"), (LESS, "min")])
def test_the_name_tells(names, better):
    assert {name: direction(name) for name in names.split()} == dict.fromkeys(names.split(), better)


@pytest.mark.parametrize("metric", NEITHER)
def test_other_names_say_nothing(metric):
    assert direction(metric) is None


def test_no_word_is_in_both_lists():
    assert not set(metrics.LESS.split()) & set(metrics.MORE.split())
