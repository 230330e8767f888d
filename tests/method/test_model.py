from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from kp.config import Loss, Method
from kp.method.features import VGG, PixelPyramid
from kp.method.losses import (
    discriminator_loss,
    generator_loss,
    least_squares,
    make_perceptual,
    motion_weight,
    reading_loss,
    regressor_loss,
)
from kp.method.model import Model, run
from kp.method.networks import Regressor, UNetRegressor


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(2))


def variant(config, **changes):
    torch.manual_seed(0)
    return Model(replace(config, **changes))


def gradient(module):
    return sum(p.grad.abs().sum().item() for p in module.parameters() if p.grad is not None)


def detach_keypoints(model, monkeypatch):
    draw = model.draw
    monkeypatch.setattr(model, "draw", lambda p: draw(p.detach()))


def constant_keypoints(model, monkeypatch, keypoints):
    monkeypatch.setattr(model.regressor, "forward", lambda y: keypoints.expand(len(y), -1, -1))


def test_shapes(model, images):
    made = run(model, *images)
    assert made.skeleton.shape == made.redrawn.shape == (2, 1, 32, 32)
    assert made.keypoints.shape == (2, 17, 2) and made.reconstruction.shape == (2, 3, 32, 32)


def test_forward_is_the_regressor_of_the_encoder(model, images):
    assert torch.equal(model(images[0]), run(model, *images).keypoints)


@pytest.mark.parametrize(("name", "kind"), [("official", Regressor), ("unet", UNetRegressor)])
def test_regressor_choice(config, name, kind):
    assert isinstance(variant(config, network=replace(config.network, regressor=name)).regressor, kind)


def test_official_init_is_a_choice_except_for_the_discriminator(config):
    plain, official = (variant(config, network=replace(config.network, official_init=x)) for x in (False, True))

    def std(m):
        return m.encoder.bottom[0].weight.std().item()

    assert std(official) == pytest.approx(0.02, rel=0.1) and std(plain) > 0.05
    assert plain.discriminator.scales[0][2].weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_the_reconstruction_teaches_every_generator_part(model, images):
    run(model, *images).reconstruction.square().mean().backward()
    assert gradient(model.encoder) > 0 and gradient(model.decoder) > 0 and gradient(model.regressor) > 0
    assert gradient(model.discriminator) == 0


def test_nothing_but_keypoints_links_the_reconstruction_to_the_encoder(model, images, monkeypatch):
    detach_keypoints(model, monkeypatch)
    perceptual = make_perceptual(model.config)
    perceptual(run(model, *images).reconstruction, images[0]).backward()
    assert all(p.grad is None for p in model.encoder.parameters()) and gradient(model.decoder) > 0


def test_without_the_bottleneck_the_encoder_learns_past_the_keypoints(config, images, monkeypatch):
    model = variant(config, method=Method(decoder_reads="skeleton"))
    detach_keypoints(model, monkeypatch)
    run(model, *images).reconstruction.square().mean().backward()
    assert gradient(model.encoder) > 0


def test_equal_keypoints_give_equal_drawings_and_reconstructions(model, images, monkeypatch):
    constant_keypoints(model, monkeypatch, torch.rand(1, 17, 2) - 0.5)
    model.eval()
    first, second = run(model, images[0], images[1]), run(model, -images[0], images[1])
    assert not torch.equal(first.skeleton, second.skeleton)
    assert torch.equal(first.redrawn, second.redrawn) and torch.equal(first.reconstruction, second.reconstruction)


def test_without_the_second_frame_it_does_not_matter(config, images):
    model = variant(config, method=Method(second_frame=False)).eval()
    assert torch.equal(run(model, *images).reconstruction, run(model, images[0], -images[1]).reconstruction)


def test_draw_uses_the_settings(config):
    model = variant(config, network=replace(config.network, sigma=0.4, profile="gaussian"))
    far = torch.zeros(1, 17, 2)
    expected = 2 * torch.exp(torch.tensor(-2 / 0.4**4)) - 1  # a corner is √2 from the middle
    torch.testing.assert_close(model.draw(far)[0, 0, 0, 0], expected)
    assert model.draw(far).shape == (1, 1, 32, 32)


def test_least_squares():
    scores = [torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0]])]
    assert least_squares(scores, 1.0).item() == ((0 + 4) / 2 + 1) / 2
    assert least_squares(scores, 0.0).item() == ((1 + 9) / 2 + 0) / 2


def test_generator_terms(model, images, monkeypatch):
    made, perceptual = run(model, *images), make_perceptual(model.config)
    monkeypatch.setattr(model.discriminator, "forward", lambda y: [torch.full((2, 1, 2, 2), 3.0)])
    terms = generator_loss(model, perceptual, made, *images)
    assert set(terms) == {"perceptual", "adversarial"}
    assert terms["adversarial"].item() == 4 and terms["perceptual"].item() == pytest.approx(1, abs=1e-4)


def test_no_adversarial_term_at_weight_zero(config, images):
    model = variant(config, loss=Loss(adversarial=0.0))
    assert set(generator_loss(model, make_perceptual(model.config), run(model, *images), *images)) == {"perceptual"}


def test_the_adversarial_term_reaches_the_encoder(model, images):
    made = run(model, *images)
    generator_loss(model, make_perceptual(model.config), made, *images)["adversarial"].backward()
    assert gradient(model.encoder) > 0 and gradient(model.regressor) == 0


def test_discriminator_loss(model, monkeypatch):
    monkeypatch.setattr(model.discriminator, "forward", lambda y: [y.mean((2, 3), keepdim=True)])
    real, fake = torch.full((2, 1, 32, 32), 0.5), torch.full((2, 1, 32, 32), -2.0)
    assert discriminator_loss(model, real, fake).item() == 0.5 * (0.25 + 4)


def test_discriminator_loss_teaches_nobody_else(model, images):
    skeleton = model.encoder(images[0])
    discriminator_loss(model, torch.rand(2, 1, 32, 32), skeleton).backward()
    assert gradient(model.discriminator) > 0 and gradient(model.encoder) == 0


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (0.9, 0.1)], ids=["real", "fake", "both"])
def test_regressor_loss(config, monkeypatch, weights):
    model = variant(config, loss=Loss(regressor_real=weights[0], regressor_fake=weights[1]))
    read = torch.rand(1, 17, 2) - 0.5
    constant_keypoints(model, monkeypatch, read)
    poses, skeleton = torch.rand(2, 17, 2), torch.rand(2, 1, 32, 32)
    real, fake = F.mse_loss(read.expand_as(poses), poses), F.mse_loss(model.draw(read).expand_as(skeleton), skeleton)
    found = regressor_loss(model, poses, model.draw(poses), skeleton)
    torch.testing.assert_close(found, weights[0] * real + weights[1] * fake)


def test_regressor_loss_teaches_the_regressor_only(model, images):
    skeleton, poses = model.encoder(images[0]), torch.rand(2, 17, 2) - 0.5
    regressor_loss(model, poses, model.draw(poses), skeleton).backward()
    assert gradient(model.regressor) > 0 and gradient(model.encoder) == 0


def test_make_perceptual(config):
    assert isinstance(make_perceptual(config).features, PixelPyramid)
    assert make_perceptual(replace(config, loss=Loss(features="raw"))).scale.shape == (1,)
    for relu in (False, True):
        made = make_perceptual(replace(config, loss=Loss(features="random", relu=relu)))
        assert isinstance(made.features, VGG) and made.features.relu is relu and made.scale.shape == (4,)


@pytest.mark.parametrize(("features", "loader"), [("lite0", "Lite0"), ("vgg16", "vgg16"), ("vgg19", "vgg19")])
def test_make_perceptual_with_weights(config, monkeypatch, features, loader):
    read = []
    monkeypatch.setattr(f"kp.method.losses.{loader}", lambda *given: read.append(given) or PixelPyramid())
    loss = Loss(features=features, weights=Path("weights.pth"), relu=True)
    assert isinstance(make_perceptual(replace(config, loss=loss)).features, PixelPyramid)
    assert read == [(loss.weights,) if features == "lite0" else (loss.weights, True)]


def test_sides_are_drawn_in_channels_of_their_own(config, images):
    model = variant(config, network=replace(config.network, limbs="sides"))
    pose = torch.rand(1, 17, 2) - 0.5
    drawn = model.draw(pose)
    assert drawn.shape == (1, 3, 32, 32) and run(model, *images).skeleton.shape == (2, 3, 32, 32)
    torch.testing.assert_close(drawn.amax(1, keepdim=True), variant(config).draw(pose))
    middle, left, right = model.draw(pose[:, model.skeleton.flip])[0]
    torch.testing.assert_close(torch.stack([middle, right, left]), drawn[0])


def test_a_tolerant_regressor_may_exchange_sides(config):
    plain, tolerant = variant(config), variant(config, method=Method(flip_tolerant=True))
    true = torch.rand(4, 17, 2) - 0.5
    read = true.clone()
    read[1] = true[1, plain.skeleton.flip]
    assert reading_loss(tolerant, read, true).item() == 0
    assert reading_loss(plain, read, true).item() == F.mse_loss(read, true).item() > 0
    assert reading_loss(tolerant, read + 0.1, true).item() == pytest.approx(0.01, rel=1e-4)


def test_moving_pixels_count_more():
    frame = torch.zeros(1, 3, 16, 16)
    other = frame.clone()
    other[..., 4:8, 4:8] = 1
    weight = motion_weight(frame, other, 2.0)
    assert weight.shape == (1, 1, 16, 16) and weight.min().item() == 1 and weight[0, 0, 5, 5] == weight.max()
    assert weight.mean().item() == pytest.approx(3, rel=1e-4)
    torch.testing.assert_close(motion_weight(frame, frame, 2.0), torch.ones(1, 1, 16, 16))


def test_motion_changes_the_reconstruction_term(config, images):
    terms = []
    for strength in (0.0, 4.0):
        model = variant(config, loss=Loss(motion=strength))
        frame, other = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
        other[..., :16] = 1
        made = replace(run(model, frame, other), reconstruction=other)
        perceptual = make_perceptual(model.config)
        perceptual.scale.fill_(1.0)
        terms.append(generator_loss(model, perceptual, made, frame, other)["perceptual"].item())
    assert terms[1] > 1.5 * terms[0]
