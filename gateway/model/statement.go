package model

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// statement is one that is asked for every line, without database/sql between: that is a tenth of what it takes.
type statement struct {
	query string
	stmt  driver.Stmt
	args  []driver.NamedValue // of the call
}

// exec runs the statement. conn is the driver's, always the same.
func (s *statement) exec(ctx context.Context, conn any, args ...driver.Value) (driver.Result, error) {
	if s.stmt == nil {
		c, ok := conn.(driver.ConnPrepareContext)
		if !ok {
			return nil, fmt.Errorf("%T can't prepare statements", conn)
		}
		stmt, err := c.PrepareContext(ctx, s.query)
		if err != nil {
			return nil, err // and stmt is a pointer to nothing, which isn't nil here
		}
		s.stmt = stmt
	}
	e, ok := s.stmt.(driver.StmtExecContext)
	if !ok {
		return nil, fmt.Errorf("%T can't be run", s.stmt)
	}
	s.args = s.args[:0]
	for n, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: n + 1, Value: a})
	}
	return e.ExecContext(ctx, s.args)
}

// close frees the statement, with the connection that has it.
func (s *statement) close(conn *sql.Conn) {
	if s.stmt == nil {
		return
	}
	_ = conn.Raw(func(any) error { return s.stmt.Close() }) // nothing is left to write
	s.stmt = nil
}
