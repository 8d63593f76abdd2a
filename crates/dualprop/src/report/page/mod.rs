//! A document as files: one page of HTML that needs nothing else, and Markdown beside it.

mod html;
mod markdown;

pub(super) use html::html;
pub(super) use markdown::markdown;
