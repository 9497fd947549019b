//! The tree of answers: what each is worth, how often it was visited, and which one to rewrite
//! next.

/// A search over nodes that are numbered in the order in which they are added.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    exploration: f64,
    /// Depth of the deepest nodes that may be rewritten; first answers have depth 1.
    deepest: u32,
}

#[derive(Debug)]
struct Node {
    depth: u32,
    /// Its own rating, from 0 to 1.
    reward: f64,
    children: Vec<usize>,
    /// Rewrites of it that have ended, and that have not.
    tries: u32,
    pending: u32,
}

/// One of the ways on from a node.
struct Arm {
    to: Step,
    value: f64,
    visits: u32,
    pending: u32,
}

#[derive(Clone, Copy)]
enum Step {
    Down(usize),
    Here,
}

impl Tree {
    pub(super) fn new(exploration: f64, deepest: u32) -> Self {
        Self {
            nodes: Vec::new(),
            exploration,
            deepest,
        }
    }

    /// Adds an answer rated `reward`; `parent` is the one that it is a rewrite of.
    pub(super) fn add(&mut self, parent: Option<usize>, reward: f64) {
        let id = self.nodes.len();
        let above = parent.and_then(|parent| self.nodes.get_mut(parent));
        let depth = above.map_or(1, |parent| {
            parent.children.push(id);
            parent.depth + 1
        });
        self.nodes.push(Node {
            depth,
            reward,
            children: Vec::new(),
            tries: 0,
            pending: 0,
        });
    }

    /// The answer to rewrite next. It counts as a visit without value until [`Self::tried`], so
    /// that choices made before the outcome is known differ.
    pub(super) fn select(&mut self) -> Option<usize> {
        let firsts = (0..self.nodes.len())
            .filter(|id| self.nodes.get(*id).is_some_and(|node| node.depth == 1));
        let mut arms: Vec<Arm> = firsts.filter_map(|id| self.down(id)).collect();
        let mut at = None;
        while let Some(Step::Down(id)) = self.best(&arms) {
            at = Some(id);
            arms = self.arms(id);
        }
        self.nodes.get_mut(at?)?.pending += 1;
        at
    }

    /// A rewrite of `id` has ended, well or not.
    pub(super) fn tried(&mut self, id: usize) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.pending = node.pending.saturating_sub(1);
            node.tries += 1;
        }
    }

    /// The best rated answer; of equals the more visited, then the shallower, then the earlier.
    pub(super) fn best_answer(&self) -> Option<usize> {
        let rank = |id: &usize| {
            (
                self.nodes.get(*id).map_or(0.0, |node| node.reward),
                self.visits(*id),
            )
        };
        let depth = |id: &usize| self.nodes.get(*id).map_or(0, |node| node.depth);
        (0..self.nodes.len()).rev().max_by(|a, b| {
            let ((left, visits), (right, others)) = (rank(a), rank(b));
            left.total_cmp(&right)
                .then(visits.cmp(&others))
                .then(depth(b).cmp(&depth(a)))
        })
    }

    /// The ways on from `id`: rewrite it, or go on to one of its rewrites.
    fn arms(&self, id: usize) -> Vec<Arm> {
        let Some(node) = self.nodes.get(id) else {
            return Vec::new();
        };
        let here = Arm {
            to: Step::Here,
            value: node.reward,
            visits: 1 + node.tries,
            pending: node.pending,
        };
        std::iter::once(here)
            .chain(node.children.iter().filter_map(|child| self.down(*child)))
            .collect()
    }

    /// The way to `id`, unless it is too deep to be rewritten.
    fn down(&self, id: usize) -> Option<Arm> {
        let node = self.nodes.get(id)?;
        let is_open = node.depth <= self.deepest;
        is_open.then(|| Arm {
            to: Step::Down(id),
            value: self.value(id),
            visits: self.visits(id),
            pending: self.pending(id),
        })
    }

    /// The arm with the greatest upper confidence bound; the first of equals.
    fn best(&self, arms: &[Arm]) -> Option<Step> {
        let all: u32 = arms.iter().map(|arm| arm.visits + arm.pending).sum();
        let bound = |arm: &Arm| {
            let visits = f64::from(arm.visits + arm.pending);
            let value = arm.value * f64::from(arm.visits) / visits.max(1.0);
            value + self.exploration * (f64::from(all.max(1)).ln() / (1.0 + visits)).sqrt()
        };
        arms.iter()
            .rev()
            .max_by(|a, b| bound(a).total_cmp(&bound(b)))
            .map(|arm| arm.to)
    }

    /// Half its own rating, half the best that came of it.
    fn value(&self, id: usize) -> f64 {
        let Some(node) = self.nodes.get(id) else {
            return 0.0;
        };
        let below = node
            .children
            .iter()
            .map(|child| self.value(*child))
            .max_by(f64::total_cmp);
        below.map_or(node.reward, |best| f64::midpoint(node.reward, best))
    }

    fn visits(&self, id: usize) -> u32 {
        self.sum(id, |_| 1)
    }

    fn pending(&self, id: usize) -> u32 {
        self.sum(id, |node| node.pending)
    }

    /// `of` summed over `id` and all below it.
    fn sum(&self, id: usize, of: fn(&Node) -> u32) -> u32 {
        self.nodes.get(id).map_or(0, |node| {
            of(node)
                + node
                    .children
                    .iter()
                    .map(|child| self.sum(*child, of))
                    .sum::<u32>()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(exploration: f64, deepest: u32, firsts: &[f64]) -> Tree {
        let mut tree = Tree::new(exploration, deepest);
        for reward in firsts {
            tree.add(None, *reward);
        }
        tree
    }

    #[test]
    fn choices_before_an_outcome_is_known_differ() {
        let mut tree = tree(0.2, 1, &[0.5, 0.7, 0.6]);
        assert_eq!(
            [tree.select(), tree.select(), tree.select()],
            [Some(1), Some(2), Some(0)]
        );
        tree.tried(1);
        assert_eq!(tree.select(), Some(1), "an ended visit weighs no more");
    }

    #[test]
    fn without_exploration_the_best_is_rewritten_and_with_much_of_it_the_least_visited() {
        let pick = |exploration| {
            let mut tree = tree(exploration, 1, &[0.9, 0.1]);
            for _ in 0..3 {
                tree.add(Some(0), 0.9);
            }
            tree.select()
        };
        assert_eq!((pick(0.0), pick(10.0)), (Some(0), Some(1)));
    }

    #[test]
    fn nothing_deeper_than_allowed_is_rewritten() {
        for deepest in 1..4 {
            let mut tree = tree(0.2, deepest, &[0.2]);
            for step in 1..8_u32 {
                let parent = tree.select().unwrap();
                tree.add(Some(parent), f64::from(step) / 10.0 + 0.2);
                tree.tried(parent);
            }
            assert_eq!(
                tree.nodes.iter().map(|node| node.depth).max(),
                Some(deepest + 1)
            );
        }
    }

    #[test]
    fn a_good_rewrite_speaks_for_what_it_was_made_of() {
        let mut tree = tree(0.0, 2, &[0.4, 0.5]);
        tree.add(Some(0), 1.0);
        assert_eq!(
            tree.select(),
            Some(2),
            "down through the first answer, whose value is now 0.7"
        );
    }

    #[test]
    fn the_best_rated_answer_wins_wherever_it_stands() {
        let mut tree = tree(0.2, 2, &[0.8, 0.8, 0.3]);
        assert_eq!(tree.best_answer(), Some(0), "the earlier of equals");
        tree.add(Some(1), 0.2);
        assert_eq!(tree.best_answer(), Some(1), "the more visited of equals");
        tree.add(Some(2), 0.9);
        assert_eq!(tree.best_answer(), Some(4));
        assert_eq!(Tree::new(0.2, 1).best_answer(), None);
    }
}
