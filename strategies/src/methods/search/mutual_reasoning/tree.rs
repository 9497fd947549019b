//! The tree of solutions under way: which steps are legal, where the next one is made, what each is
//! worth.

/// A way to go on with a solution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// One step.
    OneStep,
    /// All that is left.
    Finish,
    /// A smaller question and its answer.
    Subquestion,
    /// The last smaller question again.
    Reconsider,
    /// The task in other words.
    Rephrase,
}

use Action::{Finish, OneStep, Reconsider, Rephrase, Subquestion};

/// What can follow what. Rephrasing comes first or not at all; only an answered smaller question
/// can be reconsidered. The whole solution is begun first from the root, so that there is an answer
/// early, and last elsewhere, so that depth is used.
fn legal(after: Option<Action>, is_last: bool) -> &'static [Action] {
    match after {
        _ if is_last => &[Finish],
        None => &[Finish, OneStep, Subquestion, Rephrase, OneStep, Subquestion],
        Some(Subquestion) => &[OneStep, Reconsider, Subquestion, Finish],
        Some(Rephrase) => &[Subquestion, OneStep, Finish],
        Some(OneStep | Reconsider | Finish) => &[OneStep, Subquestion, Finish],
    }
}

/// Most rollouts that can begin at the root without one waiting for another.
pub(super) const AT_ONCE: u32 = 5;

pub(super) const ROOT: usize = 0;

/// Solutions under way. Its nodes are steps; a rollout goes from the root to a whole solution.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    exploration: f64,
    max_depth: u32,
}

#[derive(Debug)]
struct Node {
    parent: Option<usize>,
    action: Option<Action>,
    depth: u32,
    state: State,
    children: Vec<usize>,
    visits: u32,
    /// The sum of the rewards of its visits.
    reward: f64,
    /// Rollouts that stand at it or below.
    pending: u32,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// Making it failed.
    Dead,
    /// A whole solution.
    Leaf,
    /// A step that can be followed by others.
    Open(String),
    /// Being made.
    Pending,
}

/// Where a rollout goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This new node is to be made, by this action.
    Make(usize, Action),
    /// A whole solution that exists.
    Known(usize),
    /// Everything from here on is exhausted or being made by others.
    Nowhere,
}

impl Tree {
    pub(super) fn new(exploration: f64, max_depth: u32) -> Self {
        let root = Node::new(None, None, 0, State::Open(String::new()));
        Self {
            nodes: vec![root],
            exploration,
            max_depth,
        }
    }

    /// A rollout that stands at `from` goes on: by an untried action if there is one, else down by
    /// upper confidence bound.
    pub(super) fn next(&mut self, from: usize) -> Next {
        if from != ROOT {
            self.leave(from);
        }
        let mut at = from;
        loop {
            let Some(node) = self.nodes.get(at) else {
                return Next::Nowhere;
            };
            if node.state == State::Leaf {
                return Next::Known(at);
            }
            let actions = legal(node.action, node.depth + 1 >= self.max_depth);
            if let Some(action) = actions.get(node.children.len()) {
                return Next::Make(self.begin(at, *action), *action);
            }
            match self.most_promising(at) {
                Some(child) => at = child,
                None => return Next::Nowhere,
            }
        }
    }

    /// A step was made. Rollouts may go on from it.
    pub(super) fn open(&mut self, id: usize, text: String) {
        self.set(id, State::Open(text));
    }

    /// A whole solution was made or met again: its reward counts all the way up.
    pub(super) fn reward(&mut self, id: usize, reward: f64) {
        if self
            .nodes
            .get(id)
            .is_some_and(|node| node.state == State::Pending)
        {
            self.leave(id);
        }
        self.set(id, State::Leaf);
        self.up(id, |node| {
            node.visits += 1;
            node.reward += reward;
        });
    }

    /// The rollout that was to make `id` ends without a solution.
    pub(super) fn give_up(&mut self, id: usize) {
        self.set(id, State::Dead);
        self.leave(id);
    }

    /// The steps from the root to `id`, each with its text.
    pub(super) fn steps(&self, id: usize) -> Vec<&str> {
        let mut steps = Vec::new();
        let mut at = self.nodes.get(id);
        while let Some(node) = at {
            if let State::Open(text) = &node.state
                && !text.is_empty()
            {
                steps.push(text.as_str());
            }
            at = node.parent.and_then(|parent| self.nodes.get(parent));
        }
        steps.reverse();
        steps
    }

    fn begin(&mut self, parent: usize, action: Action) -> usize {
        let id = self.nodes.len();
        let depth = self.nodes.get(parent).map_or(0, |node| node.depth) + 1;
        self.nodes
            .push(Node::new(Some(parent), Some(action), depth, State::Pending));
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children.push(id);
        }
        self.up(id, |node| node.pending += 1);
        id
    }

    /// The child with the greatest upper confidence bound among those that can be entered; the
    /// first of equals.
    fn most_promising(&self, id: usize) -> Option<usize> {
        let node = self.nodes.get(id)?;
        let all = f64::from((node.visits + node.pending).max(1)).ln();
        let bound = |child: &Node| {
            let count = f64::from((child.visits + child.pending).max(1));
            child.reward / count + self.exploration * (all / count).sqrt()
        };
        let children = node
            .children
            .iter()
            .rev()
            .filter_map(|child| Some((*child, self.nodes.get(*child)?)));
        let enterable =
            children.filter(|(_, child)| matches!(child.state, State::Leaf | State::Open(_)));
        enterable
            .max_by(|(_, a), (_, b)| bound(a).total_cmp(&bound(b)))
            .map(|(id, _)| id)
    }

    /// A rollout that stood at `id` stands there no more.
    fn leave(&mut self, id: usize) {
        self.up(id, |node| node.pending = node.pending.saturating_sub(1));
    }

    fn set(&mut self, id: usize, state: State) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.state = state;
        }
    }

    fn up(&mut self, id: usize, change: impl Fn(&mut Node)) {
        let mut at = Some(id);
        while let Some(node) = at.and_then(|at| self.nodes.get_mut(at)) {
            change(node);
            at = node.parent;
        }
    }
}

impl Node {
    fn new(parent: Option<usize>, action: Option<Action>, depth: u32, state: State) -> Self {
        Self {
            parent,
            action,
            depth,
            state,
            children: Vec::new(),
            visits: 0,
            reward: 0.0,
            pending: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(tree: &mut Tree, from: usize) -> (usize, Action) {
        match tree.next(from) {
            Next::Make(id, action) => (id, action),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rollouts_that_begin_together_take_different_ways() {
        let mut tree = Tree::new(1.4, 3);
        let actions: Vec<Action> = (0..AT_ONCE).map(|_| made(&mut tree, ROOT).1).collect();
        assert_eq!(actions, [Finish, OneStep, Subquestion, Rephrase, OneStep]);
    }

    #[test]
    fn the_task_is_rephrased_first_or_never_and_only_a_smaller_question_is_reconsidered() {
        for after in [OneStep, Subquestion, Reconsider, Rephrase] {
            assert!(!legal(Some(after), false).contains(&Rephrase));
            assert_eq!(
                legal(Some(after), false).contains(&Reconsider),
                after == Subquestion
            );
            assert_eq!(legal(Some(after), true), [Finish]);
        }
        assert_eq!(legal(None, true), [Finish]);
    }

    #[test]
    fn a_rollout_ends_with_a_whole_solution_at_the_last_depth() {
        let mut tree = Tree::new(1.4, 3);
        assert_eq!(made(&mut tree, ROOT).1, Finish);
        let (first, _) = made(&mut tree, ROOT);
        tree.open(first, "one".to_owned());
        let (second, _) = made(&mut tree, first);
        tree.open(second, "two".to_owned());
        let (last, action) = made(&mut tree, second);
        assert_eq!((action, tree.steps(last)), (Finish, vec!["one", "two"]));
        tree.reward(last, 1.0);
        assert_eq!(
            tree.next(second),
            Next::Known(last),
            "there is nothing else to do from here"
        );
        assert!(tree.nodes.iter().take(3).all(|node| node.pending <= 1));
    }

    #[test]
    fn exploration_weighs_what_was_visited_little() {
        let pick = |exploration| {
            let mut tree = Tree::new(exploration, 2);
            let ids: Vec<usize> = (0..6).map(|_| made(&mut tree, ROOT).0).collect();
            for id in &ids[1..] {
                tree.open(*id, "step".to_owned());
            }
            tree.reward(ids[0], 0.9);
            (0..3).for_each(|_| tree.reward(ids[0], 0.9));
            let (leaf, _) = made(&mut tree, ids[1]);
            tree.reward(leaf, 0.5);
            ids[2..].iter().for_each(|id| tree.set(*id, State::Dead));
            tree.next(ROOT)
        };
        assert!(matches!(pick(0.0), Next::Known(1)), "{:?}", pick(0.0));
        assert!(matches!(pick(5.0), Next::Known(7)), "{:?}", pick(5.0));
    }

    #[test]
    fn what_could_not_be_had_is_not_entered() {
        let mut tree = Tree::new(1.4, 1);
        let (only, _) = made(&mut tree, ROOT);
        assert_eq!(
            tree.next(ROOT),
            Next::Nowhere,
            "another rollout is making it"
        );
        tree.give_up(only);
        assert_eq!(
            (tree.next(ROOT), tree.nodes[ROOT].pending),
            (Next::Nowhere, 0)
        );
    }
}
