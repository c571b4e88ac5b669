// words.ts — English words for keys and lists: written for this project, so that nothing but its own licence is on them. No
// word stands in another one, neither whole nor as a part, so that one is never found in an answer that names another.

import { drawUnlike } from "./prompt.ts";
import type { Stream } from "../stream.ts";

const list = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Adjectives, in alphabetical order. */
export const ADJECTIVES = list(`
aged amber ample azure basic bold brave brief bright brisk broad bronze calm candid careful central cheap chief civil
clean clear clever close cloudy coarse cold common cosmic costly cozy crisp cruel curious curly dainty daring dark
deaf dear deep dense direct distant double dreamy dusty eager early elastic elder empty equal exact faint fair false
famous fancy fatal feeble fertile fierce final firm fluffy fond foreign formal frank free fresh frozen full funny
gentle giant glad golden grand grave greasy green grim gross guilty handy happy harsh hasty heavy hidden hollow honest
huge humble hungry idle jolly juicy keen kind large lazy level liquid little lively local lonely long loose loyal
lucky major mature meek mellow merry mighty mild minor modern modest moist muddy murky mute narrow native neat nimble
noble noisy normal novel obvious odd official open orange outer pale patient plain pleasant polite poor prime private
proud public pure purple quaint quick quiet rapid rare ready real recent regular rich rigid ripe robust rough round
royal rude rural rustic sacred safe salty scarce secret severe shallow sharp shiny short shy silent silver simple
sincere sleepy slender slim slow smart smooth sober solid sour spare special stable steady steep stern sticky stiff
strange strict strong stubborn sturdy subtle sudden sunny super sweet swift tall tame tender tense thin tidy timid
tiny tired tough true typical ugly unique upper urban urgent useful vague vain valid vast velvet violet vital vivid
warm wary wealthy weary weird wet whole wicked wide wild wise witty wooden worthy yellow young zealous
`);

/** Nouns, in alphabetical order. */
export const NOUNS = list(`
acorn album almond anchor angle ankle antler anvil apple apron arch arena atlas attic autumn avenue badger bagel
bakery balcony bamboo banana banjo banner barley barrel basin basket battery beacon beaver bench berry bishop blanket
blossom boat boulder bouquet branch bread breeze brick bridge brook broom bucket buffalo bugle bundle butter button
cabin cactus camel canal candle canoe canvas canyon captain caravan cargo carpet carrot castle cathedral cavern cedar
cellar cello cement chalk chapel cherry chimney cider cinema circle citrus clarinet cliff clock clover coast cobbler
coffee collar column comet compass copper coral cotton cousin coyote cradle crater crayon cricket crown crystal
curtain cushion cymbal dagger daisy dancer dawn deer desert diamond dinner dolphin donkey dragon drawer drum dune
eagle echo elbow elephant ember emerald engine envelope evening fabric falcon farmer feather fence ferry fiddle field
flag flame flute fog forest fork fossil fountain fox frost furnace galaxy garage garden garlic gate geyser ginger
giraffe glacier glove goat gorilla granite grape guitar hammer hammock harbor hazel hedge helmet heron hill hockey
honey horizon hornet horse hotel hurdle iceberg igloo iguana inkwell insect iris island ivory jacket jaguar jasmine
jelly jewel jockey journal jungle juniper kayak kennel kettle kitchen kite kitten koala ladder lagoon lamp lantern
lark lava lawyer leaf ledger lemon leopard letter library lilac lily lizard llama lobster locket lodge lotus lumber
lyric magnet mango mantle maple marble market marsh mason meadow medal melon mermaid meteor mill miner mirror mitten
monkey monsoon moon mosaic moth motor mountain museum mushroom mustard napkin nectar needle nickel notebook nutmeg
oasis oboe ocean olive onion opal opera orbit orchard orchid oven owl oyster paddle palace panda panther paper parade
parrot pasture peacock peanut pebble pelican pencil penguin pepper piano picnic pigeon pillow pilot pine planet plaza
plum pocket poet pollen pond pony poplar porch potato pottery prairie prism pumpkin puppet puzzle pyramid quail quarry
quartz quill quilt rabbit raccoon radish raft railway raisin raven ribbon river robin rocket rope rose ruby saddle
saffron sailor salmon sandal sapphire scarf school scooter seal seed shadow shark shell shepherd shovel shrimp shutter
signal siren sketch sled snail soap sofa sparrow spider spinach spiral spoon squirrel station statue stove straw
summit sunset surgeon swallow swan tablet tailor tango tavern temple tennis thicket thistle thunder tiger timber
tomato topaz tractor tram trumpet tulip tunnel turnip turtle tuxedo uncle unicorn valley vase velocity vessel village
vineyard violin volcano voyage waffle wagon walnut walrus warehouse water weasel whale wheat whistle widow willow
window winter wizard wolf wombat workshop yacht yarn yogurt zebra zipper
`);

/** `adjective-noun`, as RULER makes its keys. */
export const word = (random: Stream): string => `${random.pick(ADJECTIVES)}-${random.pick(NOUNS)}`;

/**
 * `size` different words: single ones in random order and then, where these are too few, pairs that hold none of the first
 * `apart` of them. RULER, too, goes over to another list where its first is too short.
 * @throws LlariatError("request") for more than there are pairs.
 */
export function differentWords(random: Stream, size: number, apart: number): string[] {
  const words = random.shuffle([...ADJECTIVES, ...NOUNS]).slice(0, size);
  const [taken, kept] = [new Set<string>(), words.slice(0, apart)];
  while (words.length < size) {
    const pair = drawUnlike(
      () => word(random),
      (drawn) => taken.has(drawn) || drawn.split("-").some((part) => kept.includes(part)),
    );
    taken.add(pair);
    words.push(pair);
  }
  return words;
}
