//! What it costs to read a pattern, before it is read: classes are built range by range, and where case is ignored each of their characters
//! is looked up.

use regex_syntax::ast::{Ast, ClassSetItem, Visitor};

/// What a pattern's classes take.
#[derive(Debug, Default)]
pub(super) struct Width {
    /// Classes that stand for many ranges: `\w`, `\p{Greek}` and their like.
    pub(super) classes: u64,
    /// Characters of all classes within brackets, each as often as it is folded when case is ignored: once for every bracket around it.
    pub(super) characters: u64,
    depth: u64,
}

/// More characters than the largest named class has, but for those that are negated.
const NAMED_CHARACTERS: u64 = 1 << 18;
/// All characters there are.
const ALL_CHARACTERS: u64 = 0x11_0000;

impl Width {
    fn add(&mut self, characters: u64) {
        self.characters = self.characters.saturating_add(characters.saturating_mul(self.depth.saturating_add(1)));
    }
}

impl Visitor for Width {
    type Output = Width;
    type Err = core::convert::Infallible;

    fn finish(self) -> Result<Width, Self::Err> {
        Ok(self)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        if matches!(ast, Ast::ClassPerl(_) | Ast::ClassUnicode(_)) {
            self.classes = self.classes.saturating_add(1);
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ClassSetItem::Range(range) => {
                let (first, last) = (u64::from(u32::from(range.start.c)), u64::from(u32::from(range.end.c)));
                self.add(last.saturating_sub(first).saturating_add(1));
            }
            ClassSetItem::Perl(_) | ClassSetItem::Unicode(_) => {
                self.classes = self.classes.saturating_add(1);
                self.add(NAMED_CHARACTERS);
            }
            ClassSetItem::Ascii(_) => self.add(128),
            ClassSetItem::Literal(_) => self.add(1),
            ClassSetItem::Bracketed(inner) => {
                self.add(if inner.negated { ALL_CHARACTERS } else { 0 });
                self.depth = self.depth.saturating_add(1);
            }
            ClassSetItem::Empty(_) | ClassSetItem::Union(_) => {}
        }
        Ok(())
    }

    fn visit_class_set_item_post(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        if matches!(item, ClassSetItem::Bracketed(_)) {
            self.depth = self.depth.saturating_sub(1);
        }
        Ok(())
    }
}
