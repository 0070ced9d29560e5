//! Numbered places that are used again: whoever waits is known by a small number.

/// Values under numbers; a freed number is given out again.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    /// The free place to use next; `places.len()`: none.
    free: usize,
    taken: usize,
}

#[derive(Debug)]
enum Place<T> {
    Taken(T),
    /// The next free place.
    Free(usize),
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab {
            places: Vec::new(),
            free: 0,
            taken: 0,
        }
    }
}

impl<T> Slab<T> {
    /// Keeps `value` and tells its number.
    pub fn insert(&mut self, value: T) -> usize {
        self.taken += 1;
        let at = self.free;
        match self.places.get_mut(at) {
            None => {
                self.places.push(Place::Taken(value));
                self.free = self.places.len();
            }
            Some(place) => match std::mem::replace(place, Place::Taken(value)) {
                Place::Free(next) => self.free = next,
                Place::Taken(_) => unreachable!("the free list holds free places only"),
            },
        }
        at
    }

    /// Takes the value of `at` out, if there is one.
    pub fn remove(&mut self, at: usize) -> Option<T> {
        let place = self.places.get_mut(at)?;
        if matches!(place, Place::Free(_)) {
            return None;
        }
        let Place::Taken(value) = std::mem::replace(place, Place::Free(self.free)) else {
            return None;
        };
        self.free = at;
        self.taken -= 1;
        if self.taken == 0 && self.places.len() > 1024 {
            *self = Slab::default();
        }
        Some(value)
    }

    /// The value of `at`.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match self.places.get_mut(at) {
            Some(Place::Taken(value)) => Some(value),
            _ => None,
        }
    }

    /// Values kept.
    pub fn len(&self) -> usize {
        self.taken
    }

    /// All values, by number.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|place| match place {
            Place::Taken(value) => Some(value),
            Place::Free(_) => None,
        })
    }

    /// Takes all values out.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        std::mem::take(self)
            .places
            .into_iter()
            .filter_map(|place| match place {
                Place::Taken(value) => Some(value),
                Place::Free(_) => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut slab = Slab::default();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!((a, b), (0, 1));
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!(slab.remove(a), None);
        assert_eq!(slab.insert('c'), 0);
        assert_eq!(slab.insert('d'), 2);
        assert_eq!(slab.get_mut(1), Some(&mut 'b'));
        assert_eq!(slab.len(), 3);
        assert_eq!(slab.iter().collect::<String>(), "cbd");
        assert_eq!(slab.drain().collect::<String>(), "cbd");
        assert_eq!(slab.len(), 0);
        assert_eq!(slab.insert('e'), 0);
    }
}
