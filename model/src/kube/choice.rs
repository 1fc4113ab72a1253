//! One macro for the fields where the API offers a choice: an enum whose JSON, schema and `Display` are the API's
//! words. A word that is not on offer is refused by the schema; vocabularies that foreign components add to are not
//! for it.

/// Declares a choice, with the word of each variant.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $word)] $variant, )+
        }

        impl $name {
            /// Every value, in the order of the API's list.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The API's word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use choice;

#[cfg(test)]
mod tests {
    use crate::kube::power::PowerOpMode;

    #[test]
    fn a_word_is_the_same_in_text_and_in_json() {
        for mode in PowerOpMode::ALL {
            let json = serde_json::to_value(mode).expect("an enum of words serializes");
            assert_eq!(json, serde_json::Value::from(mode.as_str()));
            assert_eq!(mode.to_string(), mode.as_str());
        }
    }
}
