// Rewrites Go files so that each iteration of a loop has its own variables, as the language has it from Go 1.22 on, for a
// compiler that is older: loop_variables FOLDER LIST, where LIST is a file of paths, each ended by a NUL but the last.
//
// A loop is changed only if something in it may hold on to a variable: a function literal, an address, a method. Its body
// becomes a block in a block that copies the variables; a loop of three clauses also copies them back before its post
// statement. Lines keep their numbers.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"sort"
	"strings"
)

func main() {
	list, err := os.ReadFile(os.Args[2])
	if err == nil {
		err = os.Chdir(os.Args[1])
	}
	for _, path := range strings.Split(string(list), "\x00") {
		if err == nil {
			err = rewriteFile(path)
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func rewriteFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed, err := rewrite(path, text)
	if err != nil || bytes.Equal(changed, text) {
		return err
	}
	if err := os.WriteFile(path+".new", changed, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// An edit puts text in the place of what is from begin to end.
type edit struct {
	begin, end int
	text       string
}

type rewriter struct {
	files *token.FileSet
	edits []edit
	loops int
	err   error
}

func rewrite(path string, text []byte) ([]byte, error) {
	r := rewriter{files: token.NewFileSet()}
	file, err := parser.ParseFile(r.files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return text, nil // what is wrong with it the compiler says better
	}
	labels := map[ast.Stmt]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.LabeledStmt:
			labels[node.Stmt] = node.Label.Name
		case *ast.RangeStmt:
			r.rangeLoop(node)
		case *ast.ForStmt:
			r.clauseLoop(node, labels[node])
		}
		return true
	})
	sort.SliceStable(r.edits, func(a, b int) bool { return r.edits[a].begin < r.edits[b].begin })
	var changed bytes.Buffer
	at := 0
	for _, edit := range r.edits {
		changed.Write(text[at:edit.begin])
		changed.WriteString(edit.text)
		at = edit.end
	}
	changed.Write(text[at:])
	return changed.Bytes(), r.err
}

func (r *rewriter) replace(begin, end token.Pos, text string) {
	r.edits = append(r.edits, edit{r.files.Position(begin).Offset, r.files.Position(end).Offset, text})
}

// The variables are assigned at the start of each iteration and not looked at after it: a copy is all it takes.
func (r *rewriter) rangeLoop(loop *ast.RangeStmt) {
	names := variables(loop.Key, loop.Value)
	if loop.Tok != token.DEFINE || !holds(names, loop.Body) {
		return
	}
	all := strings.Join(names, ", ")
	r.replace(loop.Body.Lbrace+1, loop.Body.Lbrace+1, fmt.Sprintf("%s := %s; {", all, all))
	r.replace(loop.Body.Rbrace, loop.Body.Rbrace, "}")
}

func (r *rewriter) clauseLoop(loop *ast.ForStmt, label string) {
	init, ok := loop.Init.(*ast.AssignStmt)
	if !ok || init.Tok != token.DEFINE {
		return
	}
	names := variables(init.Lhs...)
	for _, clause := range []ast.Node{loop.Cond, loop.Post} {
		if r.err == nil && captures(names, clause) {
			r.err = fmt.Errorf("%s: a function in the for clause holds on to a variable of the loop", r.files.Position(loop.Pos()))
		}
	}
	if !holds(names, loop.Body) {
		return
	}
	r.loops++
	var shared, own, back []string
	for number, name := range names {
		before, now := fmt.Sprintf("loopShared%d_%d", r.loops, number), fmt.Sprintf("loopOwn%d_%d", r.loops, number)
		shared = append(shared, fmt.Sprintf("%s := &%s", before, name))
		own = append(own, fmt.Sprintf("%s := %s; %s := &%s", name, name, now, name))
		back = append(back, fmt.Sprintf("*%s = *%s", before, now))
	}
	copyBack := strings.Join(back, "; ")
	r.replace(loop.Body.Lbrace+1, loop.Body.Lbrace+1, strings.Join(shared, "; ")+"; "+strings.Join(own, "; ")+"; {")
	for _, jump := range continues(loop.Body, label) {
		r.replace(jump.Pos(), jump.Pos(), "{"+copyBack+"; ")
		r.replace(jump.End(), jump.End(), "}")
	}
	r.replace(loop.Body.Rbrace, loop.Body.Rbrace, "}; "+copyBack)
}

func variables(declared ...ast.Expr) []string {
	var names []string
	for _, each := range declared {
		if name, ok := each.(*ast.Ident); ok && name.Name != "_" {
			names = append(names, name.Name)
		}
	}
	return names
}

// holds tells whether code may keep one of the variables beyond an iteration; rather once too often than too rarely.
func holds(names []string, code ast.Node) bool {
	found := captures(names, code)
	ast.Inspect(code, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SliceExpr: // of an array
			found = found || isRoot(names, node.X)
		case *ast.SelectorExpr: // of a method with a pointer as its receiver
			found = found || isRoot(names, node.X)
		}
		return !found
	})
	return found
}

// captures tells whether a function literal names one of the variables, or its address is taken.
func captures(names []string, code ast.Node) bool {
	found := false
	if code == nil || len(names) == 0 {
		return false
	}
	ast.Inspect(code, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncLit:
			ast.Inspect(node, func(inner ast.Node) bool {
				name, ok := inner.(*ast.Ident)
				found = found || (ok && isOneOf(names, name.Name))
				return !found
			})
		case *ast.UnaryExpr:
			found = found || (node.Op == token.AND && isRoot(names, node.X))
		}
		return !found
	})
	return found
}

// isRoot: of v, v.field, v[i], and all of it in brackets.
func isRoot(names []string, expression ast.Expr) bool {
	switch e := expression.(type) {
	case *ast.Ident:
		return isOneOf(names, e.Name)
	case *ast.SelectorExpr:
		return isRoot(names, e.X)
	case *ast.IndexExpr:
		return isRoot(names, e.X)
	case *ast.ParenExpr:
		return isRoot(names, e.X)
	}
	return false
}

func isOneOf(names []string, name string) bool {
	for _, each := range names {
		if each == name {
			return true
		}
	}
	return false
}

// continues finds what goes on with the loop whose body this is: by its label from anywhere, without one from no inner loop.
func continues(body *ast.BlockStmt, label string) []*ast.BranchStmt {
	var found []*ast.BranchStmt
	var look func(code ast.Node, inner bool)
	look = func(code ast.Node, inner bool) {
		ast.Inspect(code, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.FuncLit:
				return false
			case *ast.ForStmt:
				look(node.Body, true)
				return false
			case *ast.RangeStmt:
				look(node.Body, true)
				return false
			case *ast.BranchStmt:
				if node.Tok == token.CONTINUE && (node.Label == nil && !inner || node.Label != nil && node.Label.Name == label) {
					found = append(found, node)
				}
			}
			return true
		})
	}
	look(body, false)
	return found
}
