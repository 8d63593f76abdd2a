//! The page: one file that works without a network, in light and dark, on screens of any width.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::report::document::{Block, Document, Section, Table};
use crate::report::figure::{Figure, font_face};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The document as HTML.
pub(in crate::report) fn html(document: &Document) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (document.title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(font_face())) (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (document.title) }
                    @for line in &document.lead { p.lead { (line) } }
                    button #theme type="button" aria-label="Change between light and dark" { "◐" }
                }
                @if document.sections.len() > 2 {
                    nav aria-label="Contents" {
                        @for (index, section) in document.sections.iter().enumerate() {
                            a href=(format!("#section-{index}")) { (section.title) }
                        }
                    }
                }
                main { @for (index, section) in document.sections.iter().enumerate() { (draw_section(index, section)) } }
                footer { @for line in &document.colophon { p { (line) } } }
                div #tip role="tooltip" hidden {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn draw_section(index: usize, section: &Section) -> Markup {
    html! {
        section id=(format!("section-{index}")) {
            h2 { (section.title) }
            @for block in &section.blocks {
                @match block {
                    Block::Text(text) => p { (text) },
                    Block::Command(lines) => pre { code { (lines) } },
                    Block::Table(table) => (draw_table(table)),
                    Block::Figure(figure) => (draw_figure(figure)),
                }
            }
        }
    }
}

fn draw_table(table: &Table) -> Markup {
    let class = |column: usize| table.columns[column].is_number.then_some("number");
    html! {
        div.wide {
            table {
                @if !table.caption.is_empty() { caption { (table.caption) } }
                thead { tr { @for (index, column) in table.columns.iter().enumerate() { th scope="col" class=[class(index)] { (column.name) } } } }
                tbody {
                    @for row in &table.rows { tr { @for (index, cell) in row.iter().enumerate() { td class=[class(index)] { (cell) } } } }
                }
            }
        }
    }
}

fn draw_figure(figure: &Figure) -> Markup {
    let files = |extension: &str| format!("figures/{}.{extension}", figure.name);
    html! {
        figure id=(figure.name) {
            div.wide { (PreEscaped(figure.svg())) }
            figcaption {
                b { (figure.title) ". " }
                (figure.caption) " "
                span.files { a href=(files("svg")) { "SVG" } " " a href=(files("png")) { "PNG" } }
            }
        }
    }
}
