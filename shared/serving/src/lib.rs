//! What predict needs online: the current release, the model behind it, the prediction log.
