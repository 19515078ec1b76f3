package dedup

import "slices"

// formal writes for a nickname the name that it most often stands for. Whom one service calls Bob Stone and the other
// Robert Stone may be one person: people choose the name of their address, and not that of the account. Two addresses
// or accounts of one directory are two people.
func formal(words []string) []string {
	out := slices.Clone(words)
	out[0] = formalName(out[0])
	return out
}

// formalName returns the same name for a name, its short forms and its spellings; for any other word the word.
func formalName(word string) string {
	switch word {
	case "alex", "sasha", "sandy":
		return "alexander"
	case "andy", "drew":
		return "andrew"
	case "tony":
		return "anthony"
	case "ben", "benny":
		return "benjamin"
	case "cathy", "kathy", "kate", "katie", "katherine", "kathryn", "katya", "ekaterina":
		return "catherine"
	case "charlie", "chuck":
		return "charles"
	case "chris", "topher", "kit":
		return "christopher"
	case "dan", "danny":
		return "daniel"
	case "dave":
		return "david"
	case "deb", "debbie":
		return "deborah"
	case "dima", "dmitry", "dmitriy":
		return "dmitri"
	case "ed", "eddie", "ted", "ned":
		return "edward"
	case "liz", "lizzie", "beth", "betty", "eliza":
		return "elizabeth"
	case "paco", "pancho":
		return "francisco"
	case "fred", "freddy":
		return "frederick"
	case "fritz":
		return "friedrich"
	case "beppe":
		return "giuseppe"
	case "greg":
		return "gregory"
	case "heinz":
		return "heinrich"
	case "hank", "harry":
		return "henry"
	case "nacho":
		return "ignacio"
	case "vanya":
		return "ivan"
	case "jim", "jimmy", "jamie":
		return "james"
	case "jeff", "geoff", "geoffrey":
		return "jeffrey"
	case "jen", "jenny":
		return "jennifer"
	case "hans":
		return "johannes"
	case "jack", "johnny":
		return "john"
	case "jon":
		return "jonathan"
	case "pepe":
		return "jose"
	case "sepp":
		return "josef"
	case "joe", "joey":
		return "joseph"
	case "ken", "kenny":
		return "kenneth"
	case "kostas", "costas", "kostis":
		return "konstantinos"
	case "larry", "laurence":
		return "lawrence"
	case "maggie", "meg", "peggy":
		return "margaret"
	case "matt":
		return "matthew"
	case "max":
		return "maximilian"
	case "mike", "mick":
		return "michael"
	case "misha":
		return "mikhail"
	case "natasha":
		return "natalia"
	case "nick", "nicky", "nicolas":
		return "nicholas"
	case "kolya":
		return "nikolai"
	case "patty", "tricia":
		return "patricia"
	case "pat", "paddy":
		return "patrick"
	case "pete":
		return "peter"
	case "becky", "becca":
		return "rebecca"
	case "rich", "rick", "ricky", "dick":
		return "richard"
	case "bob", "bobby", "rob", "robbie":
		return "robert"
	case "ron":
		return "ronald"
	case "sam", "sammy":
		return "samuel"
	case "steve", "steven":
		return "stephen"
	case "sue", "susie":
		return "susan"
	case "tanya":
		return "tatiana"
	case "terry":
		return "terence"
	case "tom", "tommy":
		return "thomas"
	case "tim":
		return "timothy"
	case "vicky", "vicki":
		return "victoria"
	case "bill", "billy", "will":
		return "william"
	}
	return word
}
