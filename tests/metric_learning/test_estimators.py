from sklearn.utils.estimator_checks import parametrize_with_checks

from wherewhen.metric_learning import KISSME, LFDA, XQDA, CappedPCA, RankSVM


@parametrize_with_checks([KISSME(), LFDA(), XQDA(), CappedPCA(dimension=1), RankSVM()])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)
