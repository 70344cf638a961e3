//! How a linker finds, in a store's state, what an interface needs.

use std::marker::PhantomData;

use wasmtime::component::HasData;

use crate::plugin::Sandbox;

/// An interface's own state, and the sandbox beside it.
pub(crate) struct With<'a, Own> {
    pub(crate) sandbox: &'a mut Sandbox,
    pub(crate) own: &'a mut Own,
}

/// Tells a linker that an interface is implemented by [`With`].
pub(crate) struct HasWith<Own>(PhantomData<Own>);

impl<Own: 'static> HasData for HasWith<Own> {
    type Data<'a> = With<'a, Own>;
}
